//! Where requests go: the rules of a service's model, and partitions. Does no IO.
