//! The live view in a real terminal: what is left on it at the end, after Ctrl-C, and beside questions.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Place;

const COLUMNS: u16 = 80;
const ROWS: u16 = 24;
/// A machine that is busy gets there in the end.
const LONG: Duration = Duration::from_secs(120);

/// A program in a terminal.
struct Session {
    child: Child,
    keys: File,
    sent: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    raw: Vec<u8>,
}

impl Session {
    fn start(place: &Place, line: &str, variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("another of it"));
        let child = place
            .command(line)
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .envs(variables.iter().copied())
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave))
            .spawn()
            .expect("it starts");
        drop(pty.slave);
        let (sender, sent) = channel();
        let mut master = File::from(pty.master);
        let keys = master.try_clone().expect("another of it");
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The other end is closed with an error where the system is Linux.
            while let Ok(read @ 1..) = master.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let number = |number| NonZero::new(number).expect("not zero");
        let parser = vt100::Parser::new(number(ROWS), number(COLUMNS), 10_000);
        Self { child, keys, sent, parser, raw: Vec::new() }
    }

    /// What the screen shows once it shows `text`.
    fn until(&mut self, text: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            let screen = self.parser.screen().contents();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < end, "no '{text}' in:\n{screen}");
            if let Ok(bytes) = self.sent.recv_timeout(Duration::from_millis(100)) {
                self.take(&bytes);
            }
        }
    }

    /// Takes what is sent in that time.
    fn listen(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if let Ok(bytes) = self.sent.recv_timeout(left) {
                self.take(&bytes);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.raw.extend_from_slice(bytes);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a small number");
        kill(Pid::from_raw(id), signal).expect("it is told");
    }

    /// What the screen shows at the end, and the exit code.
    fn end(mut self) -> (String, i32) {
        while let Ok(bytes) = self.sent.recv_timeout(LONG) {
            self.take(&bytes);
        }
        let status = self.child.wait().expect("it ends");
        (self.parser.screen().contents(), status.code().unwrap_or(-1))
    }
}

fn hosts(number: usize) -> String {
    format!("h[1:{number}] ansible_connection=local\n")
}

const PLAYBOOK: &str = "\
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      command: 'true'
      changed_when: \"inventory_hostname == 'h3'\"
    - name: wait
      command: test -e ready
      register: it
      until: it is success
      retries: 10000
      delay: 1
      changed_when: false
      when: \"inventory_hostname in ['h2', 'h3']\"
    - name: last
      fail: msg=no
      when: \"inventory_hostname in ['h1', 'h2']\"
";

#[test]
fn what_runs_now_is_shown_and_gone_at_the_end() {
    for (number, expect) in [(5, "h3  attempt 2 of"), (100, "waiting for: h"), (300, "1 mark = ")] {
        let place = Place::new(&[("hosts", &hosts(number)), ("site.yml", PLAYBOOK)]);
        let mut session = Session::start(&place, "davit run -i hosts site.yml", &[]);
        let screen = session.until(expect);
        assert!(screen.contains("changed: h3"), "{screen}");
        assert!(screen.contains("task 2"), "{screen}");
        place.write("ready", "");
        let (screen, code) = session.end();
        assert_eq!(code, 2, "{screen}");
        assert!(screen.contains("FAILED   h[1-2]: last"), "{screen}");
        assert!(screen.contains(&format!("failed: 2 of {number} hosts")), "{screen}");
        assert!(!screen.contains("waiting for"), "{screen}");
        assert!(!screen.contains("attempt"), "{screen}");
    }
}

#[test]
fn after_ctrl_c_nothing_of_it_is_left() {
    let place = Place::new(&[("hosts", &hosts(5)), ("site.yml", PLAYBOOK)]);
    let mut session = Session::start(&place, "davit run -i hosts site.yml", &[]);
    session.until("h3  attempt");
    session.signal(Signal::SIGINT);
    session.until("stopping once the running task is done");
    session.signal(Signal::SIGINT);
    let (screen, code) = session.end();
    assert_eq!(code, 99, "{screen}");
    assert!(screen.contains("stopping once"), "{screen}");
    assert!(!screen.contains("attempt 2"), "{screen}");
}

#[test]
fn a_question_is_not_drawn_over() {
    let playbook = "\
- hosts: all
  gather_facts: false
  tasks:
    - command: 'true'
    - pause: prompt=Ready?
      run_once: true
    - command: test -e ready
      register: it
      until: it is success
      retries: 10000
      delay: 1
";
    let place = Place::new(&[("hosts", &hosts(3)), ("site.yml", playbook)]);
    let mut session = Session::start(&place, "davit run -i hosts site.yml", &[]);
    session.until("Ready?");
    let asked = session.raw.len();
    session.listen(Duration::from_millis(600));
    let drawn = String::from_utf8_lossy(&session.raw[asked..]).into_owned();
    assert!(!drawn.contains('\u{1b}'), "{drawn:?}");
    session.keys.write_all(b"\n").expect("a key is pressed");
    session.until("attempt 2");
    place.write("ready", "");
    let (screen, code) = session.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Ready?"), "{screen}");
    assert!(screen.contains("ok: 3 hosts"), "{screen}");
}

#[test]
fn a_plain_terminal_gets_plain_lines() {
    for (variable, value) in [("TERM", "dumb"), ("TERM", "")] {
        let place = Place::new(&[("hosts", &hosts(5)), ("site.yml", PLAYBOOK), ("ready", "")]);
        let line = "davit run -i hosts site.yml";
        let mut session =
            Session::start(&place, line, &[(variable, value), ("NO_COLOR", "1"), ("LANG", "C")]);
        session.until("failed: 2 of 5 hosts");
        assert!(!session.raw.contains(&0x1b), "{}", String::from_utf8_lossy(&session.raw));
        assert!(session.raw.is_ascii());
        session.end();
    }
}
