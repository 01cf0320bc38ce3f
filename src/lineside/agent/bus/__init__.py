"""The local bus: AWS Greengrass V2 component IPC over a unix socket, so that components written for it run unmodified."""
