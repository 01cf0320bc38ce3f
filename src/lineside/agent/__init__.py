"""The agent: makes one device become its desired document.

    inbox ► plan ► execute ► state ► report ► outbox

`plan` decides without disk or network; `execute` acts; `state` remembers. A crash is just another planning round.
"""
