//! The engine: plays, blocks, loops, handlers, strategies.
