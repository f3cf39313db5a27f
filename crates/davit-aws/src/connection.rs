//! Carries requests over HTTP: one pool, time-outs everywhere.
