//! Actions that prepare on the controller what a module does on the host.
