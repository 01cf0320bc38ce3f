"""The local bus: AWS Greengrass V2 component IPC over a unix socket; components written for it run unmodified."""
