//! Getting the agent to run at the other end of a shell: found by its hash, or sent over.
//!
//! A short script for any POSIX shell looks for the agent in the folders that may hold it, checks
//! its hash, and turns into it. Where it is not there, the script takes it from its input, checks
//! what it got, and puts it in place in one step. It answers in lines that begin with a nonce, so
//! that whatever a login shell prints before is told apart.
//!
//! A push over a line that was cut says nothing at the other end: a watcher beside the script looks
//! whether what arrives still grows, clears up where it does not, and ends once the file is in place.
//!
//! **Invariant:** the agent is only run from a folder that the user owns, that nobody else can
//! write to or, by owning the cache folder around it, replace, and that is not a link; and only
//! after its hash has been checked.

use std::fmt::Write as _;
use std::time::Duration;

use davit_payload::{AGENTS, Agent};
use davit_run::Unreachable;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// What a login shell may print before the script says something.
const NOISE: usize = 256 * 1024;
/// How long the host may take to take the next piece of the agent.
const STALL: Duration = Duration::from_secs(60);
/// Bytes of the agent that are sent at a time.
const PIECE: usize = 32 * 1024;

/// The command line that starts the script, for the login shell of any user. `skip` are numbers of
/// folders that did not work before.
///
/// It holds no single quote, line break, backslash or exclamation mark inside its quotes: shells
/// that are not POSIX shells read those in their own ways.
pub(crate) fn command_line(nonce: &str, skip: &[usize]) -> String {
    format!("exec /bin/sh -c '{}'", script(nonce, skip))
}

/// The script alone, for who starts a shell without another shell.
pub(crate) fn script(nonce: &str, skip: &[usize]) -> String {
    let mut text = format!("m=$(umask); umask 077; n=DAVIT-{nonce}; ");
    if let [one] = AGENTS {
        let _ = write!(
            text,
            "h={}; b={}; z={}; r={}; ",
            one.sha256,
            one.blake2b,
            one.packed.len(),
            one.size
        );
    } else {
        text.push_str("case $(uname -m) in ");
        for Agent { arch, sha256, blake2b, size, packed } in AGENTS {
            let _ =
                write!(text, "{arch}) h={sha256}; b={blake2b}; z={}; r={size};; ", packed.len());
        }
        text.push_str("*) echo \"$n arch $(uname -m)\"; exit 9;; esac; ");
    }
    text.push_str(
        "v() { if s=$(b2sum <\"$1\" 2>/dev/null); then [ \"${s%% *}\" = \"$b\" ]; return; fi; \
         s=$(sha256sum <\"$1\" 2>/dev/null) || s=$(shasum -a 256 <\"$1\" 2>/dev/null) \
         || s=$(openssl dgst -sha256 -r <\"$1\" 2>/dev/null) || return 1; \
         [ \"${s%% *}\" = \"$h\" ]; }; \
         x() { echo \"$n run\"; umask $m; exec \"$1/agent-$h\"; }; \
         l() { [ -L \"$1\" ] && return 1; if [ \"$1\" = \"$c\" ]; then [ -O \"$1/..\" ]; fi; }; \
         g() { [ -f \"$1/agent-$h\" ] && l \"$1\" || return 1; \
         [ -O \"$1\" ] && [ -O \"$1/agent-$h\" ] && v \"$1/agent-$h\" || return 1; \
         x \"$1\"; }; \
         c=\"${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/davit\"; ",
    );
    let skips = |at: usize| skip.contains(&at);
    if !skips(0) {
        text.push_str("g \"$c\"; ");
    }
    text.push_str("u=$(id -u); i=0; for d in \"$c\" \"/var/tmp/davit-$u\" \"/tmp/davit-$u\" \"/dev/shm/davit-$u\" \"/run/user/$u/davit\"; do case $i in ");
    if skip.is_empty() {
        text.push_str("none");
    }
    for (index, at) in skip.iter().enumerate() {
        let _ = write!(text, "{}{at}", if index == 0 { "" } else { "|" });
    }
    text.push_str(") ;; *) g \"$d\";; esac; i=$((i+1)); done; ");
    text.push_str("i=-1; for d in \"$c\" \"/var/tmp/davit-$u\" \"/tmp/davit-$u\" \"/dev/shm/davit-$u\" \"/run/user/$u/davit\"; do i=$((i+1)); case $i in ");
    if skip.is_empty() {
        text.push_str("none");
    }
    for (index, at) in skip.iter().enumerate() {
        let _ = write!(text, "{}{at}", if index == 0 { "" } else { "|" });
    }
    text.push_str(
        ") continue;; esac; \
         mkdir -p \"$d\" 2>/dev/null; \
         if [ -L \"$d\" ]; then echo \"$n note $d is a link\"; continue; fi; \
         if l \"$d\"; then :; else echo \"$n note $d lies in a folder of somebody else\"; continue; fi; \
         if [ -d \"$d\" ]; then :; else echo \"$n note $d cannot be made\"; continue; fi; \
         if [ -O \"$d\" ] && chmod 700 \"$d\" 2>/dev/null; then :; else echo \"$n note $d belongs to somebody else\"; continue; fi; \
         t=\"$d/new-$$-${n#DAVIT-}\"; \
         if (echo exit 0 >\"$t\") 2>/dev/null; then :; else rm -f \"$t\"; echo \"$n note $d cannot be written to\"; continue; fi; \
         chmod 700 \"$t\"; if \"$t\" 2>/dev/null; then :; else rm -f \"$t\"; echo \"$n note $d does not let programs run\"; continue; fi; \
         (p=-1; k=0; while sleep 1; do q=$(wc -c <\"$t\" 2>/dev/null) || exit 0; \
         if [ \"$p\" = \"$q\" ]; then k=$((k+1)); else k=0; p=$q; fi; \
         if [ $k = 20 ]; then rm -f \"$t\"; kill -9 $$; exit 0; fi; done) </dev/null >/dev/null 2>&1 & w=$! ; \
         if command -v gzip >/dev/null 2>&1; then echo \"$n need $i $z gz\"; head -c $z | gzip -dc 2>/dev/null >\"$t\"; \
         else echo \"$n need $i $r raw\"; head -c $r 2>/dev/null >\"$t\"; fi; kill -13 $w 2>/dev/null; \
         if v \"$t\"; then chmod 700 \"$t\"; if \"$t\" --check 2>/dev/null; then mv -f \"$t\" \"$d/agent-$h\"; \
         find \"$d\" -maxdepth 1 -name \"agent-*\" -mtime +30 -exec rm -f {} + 2>/dev/null; x \"$d\"; \
         else rm -f \"$t\"; echo \"$n note $d: the agent does not run there\"; fi; \
         else rm -f \"$t\"; echo \"$n note $d: the agent did not arrive whole, is the disk full?\"; fi; \
         echo \"$n bad $i\"; exit 9; done; echo \"$n none\"; exit 9",
    );
    text
}

/// How an attempt to get the agent running ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The agent runs; what it has said already, and whether it was sent over.
    Running(Vec<u8>, bool),
    /// The folder of that number does not work: try again without it.
    Bad(usize),
    /// The shell ended without a word of the script's; what it has said instead.
    Silent(Vec<u8>),
    /// It will not work.
    Failed(Unreachable),
}

/// Sees the script through.
pub(crate) async fn attend(
    stdin: &mut (impl AsyncWrite + Unpin),
    stdout: &mut (impl AsyncRead + Unpin),
    nonce: &str,
    notes: &mut Vec<String>,
    mut progress: impl FnMut(u64, u64),
) -> std::io::Result<Ended> {
    let mark = format!("DAVIT-{nonce} ");
    let mut seen = Vec::new();
    let mut buffer = vec![0; 4096];
    let mut pushed = false;
    loop {
        while let Some(line) = next_line(&mut seen, mark.as_bytes()) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut words = line.split(' ');
            match words.next() {
                Some("run") => return Ok(Ended::Running(seen, pushed)),
                Some("note") => notes.push(line.get(5..).unwrap_or_default().to_owned()),
                Some("bad") => {
                    let at = words.next().and_then(|it| it.parse().ok()).unwrap_or(usize::MAX);
                    return Ok(Ended::Bad(at));
                }
                Some("need") => {
                    let (size, form) = (words.nth(1), words.next());
                    let agent = AGENTS.iter().find(|it| {
                        let packed = it.packed.len().to_string();
                        let raw = it.size.to_string();
                        size == Some(if form == Some("gz") { &packed } else { &raw })
                    });
                    let Some(agent) = agent else { return Ok(Ended::Failed(odd(&line))) };
                    // Where it breaks off, the script says why, or nobody is there any more.
                    let _ = push(stdin, agent, form == Some("gz"), &mut progress).await;
                    pushed = true;
                }
                Some("arch") => {
                    return Ok(Ended::Failed(Unreachable {
                        why: format!(
                            "there is no agent for hosts of the architecture {}",
                            words.next().unwrap_or_default()
                        ),
                        help: Some("build davit with DAVIT_AGENT_TARGETS set to that architecture's target".into()),
                        refused: false,
                    }));
                }
                Some("none") => {
                    return Ok(Ended::Failed(Unreachable {
                        why: format!(
                            "no folder of the host can hold the agent: {}",
                            notes.join("; ")
                        ),
                        help: Some("make ~/.cache writable, or set XDG_CACHE_HOME for the user to a folder on a disk that has room and lets programs run".into()),
                        refused: false,
                    }));
                }
                _ => return Ok(Ended::Failed(odd(&line))),
            }
        }
        if seen.len() > NOISE {
            return Ok(Ended::Failed(Unreachable::new(
                "the host's shell prints and prints before it does what it is asked for",
            )));
        }
        match stdout.read(&mut buffer).await? {
            0 => return Ok(Ended::Silent(seen)),
            count => seen.extend_from_slice(&buffer[..count]),
        }
    }
}

fn odd(line: &str) -> Unreachable {
    Unreachable::new(format!("the host answers what makes no sense: {line}"))
}

/// The rest of the next line that begins with `mark`, taken out of `seen` with all before it.
fn next_line(seen: &mut Vec<u8>, mark: &[u8]) -> Option<Vec<u8>> {
    let mut from = 0;
    loop {
        let end = from + seen.get(from..)?.iter().position(|it| *it == b'\n')?;
        // Noise may stand before it where it did not end its line.
        let line = seen.get(from..end)?;
        let at = line.windows(mark.len()).position(|it| it == mark);
        if let Some(at) = at {
            let rest = line.get(at + mark.len()..)?.to_vec();
            seen.drain(..=end);
            return Some(rest);
        }
        from = end + 1;
    }
}

async fn push(
    stdin: &mut (impl AsyncWrite + Unpin),
    agent: &Agent,
    packed: bool,
    progress: &mut impl FnMut(u64, u64),
) -> std::io::Result<()> {
    let unpacked;
    let bytes: &[u8] = if packed {
        agent.packed
    } else {
        unpacked = unpack(agent)?;
        &unpacked
    };
    let total = bytes.len() as u64;
    let mut done = 0;
    for piece in bytes.chunks(PIECE) {
        let written = async {
            stdin.write_all(piece).await?;
            stdin.flush().await
        };
        timeout(STALL, written).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        done += piece.len() as u64;
        progress(done, total);
    }
    Ok(())
}

/// The agent's program, for hosts that cannot unpack it.
fn unpack(agent: &Agent) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(agent.packed).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_apart() {
        let mut seen = b"Welcome!\nno end DAVIT-7 run\n\x00\x01".to_vec();
        assert_eq!(next_line(&mut seen, b"DAVIT-7 "), Some(b"run".to_vec()));
        assert_eq!(seen, [0, 1]);
        let mut seen = b"DAVIT-8 run\nDAVIT-7 ru".to_vec();
        assert_eq!(next_line(&mut seen, b"DAVIT-7 "), None);
    }

    #[test]
    fn the_command_line_can_be_read_by_any_shell() {
        for skip in [&[][..], &[0, 2]] {
            let text = script("abc", skip);
            // With a blank after it, not even csh takes the mark for its history.
            let odd: Vec<char> =
                text.replace("$! ;", "").chars().filter(|it| "'\\!\n".contains(*it)).collect();
            assert_eq!(odd, [], "{text}");
        }
    }
}
