"""The stream manager: durable streams on a device, exported through the control plane. A component of its own.

It speaks the protocol of AWS Greengrass's stream manager, so that programs written with the `stream_manager` package
run as they are. Standard library and msgspec only: it is there on every device, whatever extras were installed.

    cbor ► frames ► server ► manager ► stream ► segments
                              └► claims ► work/exports ► the agent (link/exports)

Run by `python -m lineside.agent.streams`, as the built-in component aws.greengrass.StreamManager does.
"""
