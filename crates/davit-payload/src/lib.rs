//! The agent's program, built for the managed hosts and kept inside davit.
//!
//! It knows nothing of what the program does; see `davit-agent`. The agent for this machine's own
//! architecture is always there; others are where davit was built with `DAVIT_AGENT_TARGETS`.

/// The agent for one architecture.
#[derive(Clone, Copy)]
pub struct Agent {
    /// As `uname -m` says it: `x86_64`, `aarch64`.
    pub arch: &'static str,
    /// SHA-256 of the program, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// BLAKE2b of the program, which `b2sum` works out several times as fast.
    pub blake2b: &'static str,
    /// Bytes of the program.
    pub size: u64,
    /// The program, packed with gzip.
    pub packed: &'static [u8],
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent").field("arch", &self.arch).finish_non_exhaustive()
    }
}

/// All agents that this program has; the first is for its own architecture.
pub const AGENTS: &[Agent] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

#[cfg(test)]
mod tests {
    use super::AGENTS;

    /// It goes over the line to every host, once for each version.
    #[test]
    fn the_agent_stays_small() {
        for agent in AGENTS {
            let packed = agent.packed.len();
            assert!(packed <= 5 << 20, "{}: {packed} bytes, packed", agent.arch);
        }
    }
}
