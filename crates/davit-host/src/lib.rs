//! The modules that run on the managed host, inside the agent.
