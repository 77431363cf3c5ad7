"""The data path by eBPF: a program at each interface's ingress, and a loader that needs no library."""
