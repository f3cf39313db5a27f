//! `terminal`: davit's own view, for a person who watches.
//!
//! ```text
//! PLAY web · 3 hosts                                               site.yml:1
//!   ok       install packages · 3 hosts · 8.1s
//!   changed  write config · web1 web2
//!   FAILED   web3: restart web                                    site.yml:14
//!            non-zero return code
//!              cmd     systemctl restart web
//!              stderr  Job for web.service failed.
//! ⠹ restart web · 2/3 hosts · 4s
//! ```
//!
//! A line is written once a task is through; what runs now stands in one line below, which is drawn
//! anew on a terminal and left out in a pipe. Every state is a word; colours only repeat it. Hosts
//! are named while they are few and counted when they are many.

mod failure;
mod live;
mod state;
mod summary;
mod task;
mod words;

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use davit_event::{Event, Sink};

use crate::view::{Outputs, Settings};
use state::State;

/// How often the line of what runs now is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// The view.
pub(crate) struct Terminal {
    state: Arc<Mutex<State>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Terminal {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        let live = settings.live;
        let state = Arc::new(Mutex::new(State::new(settings, to)));
        let ticker = if live { start(Arc::clone(&state)) } else { None };
        Self { state, ticker }
    }
}

/// Draws the last line anew while no events come. Without a thread it is drawn at events only.
fn start(state: Arc<Mutex<State>>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let thread = std::thread::Builder::new().name("davit-terminal".to_owned()).spawn(move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if lock(&state).tick().is_err() {
                break;
            }
        }
    });
    thread.ok().map(|thread| (stop, thread))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Terminal {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        lock(&self.state).accept(event)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A ticker that panicked has nothing left to draw.
            let _ = thread.join();
        }
        // The run may have ended without its last event: leave no half line behind.
        let _ = lock(&self.state).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use davit_event::{Counts, Kind, Status};
    use serde_json::json;

    use crate::view::fixture::{self, done, end, events, task};
    use crate::view::{Settings, create};

    fn settings(width: usize) -> Settings {
        Settings { width: Some(width), ..Settings::default() }
    }

    #[test]
    fn in_a_pipe_every_line_is_plain() {
        let (out, err) = fixture::show("terminal", &Settings::default());
        insta::assert_snapshot!(out, @r#"
        check mode: nothing is changed

        PLAY nobody · 0 hosts                                                                 srv/site.yml:1
          skipped  no hosts match

        PLAY web · 2 hosts                                                                    srv/site.yml:2
          says     web1: say
                   hello web1
          says     web2: say
                   hello web2
          diff     web1: write config
                   --- before
                   +++ after: /etc/c
                   @@ -1 +1 @@
                   -a
                   +b
          changed  write config · changed: web1 · 1 ok · 1.5s
          changed  loop · changed: web1 · 1 skipped · 2 items · 2.5s
          retry    web1: restart · 2 attempts left
          ignored  web1: restart                                                             srv/site.yml:12
                   non-zero return code
                     rc      1
                     cmd     systemctl restart web
                     stderr  first
                             Job for web.service failed.
          ignored  restart · 1 ok · 1 failed · 1 ignored · 2.0s
          FAILED   web2: role : open port                                                    srv/site.yml:14
                   'port' is undefined
                   at srv/site.yml:15:12: line 15 of /srv/site.yml
          UNREACHABLE web1 -> db1: role : open port                                          srv/site.yml:14
                   no route to host
          FAILED   role : open port · 1 failed · 1 unreachable · 1.5s                        srv/site.yml:14
        no hosts are left

          web1              4 ok · 2 changed · 1 unreachable · 1 ignored
          web2              3 ok · 1 failed · 1 skipped

        slowest:
              2.5s  loop  srv/site.yml:8
              2.0s  say  srv/site.yml:4
              2.0s  restart  srv/site.yml:12

        failed: 2 of 2 hosts · 6 tasks · 2 changes · 15.0s
        to go on from there: davit resume 2sb0mq00
        "#);
        insta::assert_snapshot!(err, @r#"
        warning: Could not match supplied host pattern, ignoring: nobody
        warning: mode is unset
        "#);
    }

    #[test]
    fn sixty_columns_are_enough() {
        let (out, _) = fixture::show("terminal", &settings(60));
        insta::assert_snapshot!(out, @r#"
        check mode: nothing is changed

        PLAY nobody · 0 hosts                         srv/site.yml:1
          skipped  no hosts match

        PLAY web · 2 hosts                            srv/site.yml:2
          says     web1: say
                   hello web1
          says     web2: say
                   hello web2
          diff     web1: write config
                   --- before
                   +++ after: /etc/c
                   @@ -1 +1 @@
                   -a
                   +b
          changed  write config · changed: web1 · 1 ok · 1.5s
          changed  loop · changed: web1 · 1 skipped · 2 items · 2.5s
          retry    web1: restart · 2 attempts left
          ignored  web1: restart                     srv/site.yml:12
                   non-zero return code
                     rc      1
                     cmd     systemctl restart web
                     stderr  first
                             Job for web.service failed.
          ignored  restart · 1 ok · 1 failed · 1 ignored · 2.0s
          FAILED   web2: role : open port            srv/site.yml:14
                   'port' is undefined
                   at srv/site.yml:15:12: line 15 of /srv/site.yml
          UNREACHABLE web1 -> db1: role : open port  srv/site.yml:14
                   no route to host
          FAILED   role : open port · 1 failed · 1 unreachable · 1.…
        no hosts are left

          web1              4 ok · 2 changed · 1 unreachable · 1 ig…
          web2              3 ok · 1 failed · 1 skipped

        slowest:
              2.5s  loop  srv/site.yml:8
              2.0s  say  srv/site.yml:4
              2.0s  restart  srv/site.yml:12

        failed: 2 of 2 hosts · 6 tasks · 2 changes · 15.0s
        to go on from there: davit resume 2sb0mq00
        "#);
        assert!(out.lines().all(|line| crate::view::paint::columns(line) <= 60));
    }

    #[test]
    fn a_thousand_hosts_are_counted() {
        let hosts: Vec<String> = (0..1000).map(|number| format!("node{number:04}")).collect();
        let mut kinds = vec![
            Kind::PlayStarted {
                play: 0,
                name: "all".to_owned(),
                hosts: hosts.clone(),
                check: false,
                path: "/srv/site.yml:1".to_owned(),
            },
            task(0, "write config", "copy"),
        ];
        let failed = || end(Status::Failed, json!({"msg": "no space left", "rc": 1}));
        kinds.extend(hosts.iter().enumerate().map(|(number, host)| {
            let result = match number % 4 {
                0 => end(Status::Changed, json!({"changed": true})),
                1 => failed(),
                _ => end(Status::Ok, json!({})),
            };
            done(0, host, result)
        }));
        let counts = |number: usize| Counts {
            ok: u32::from(number % 4 != 1),
            failed: u32::from(number % 4 == 1),
            ..Counts::default()
        };
        let stats: BTreeMap<_, _> =
            hosts.iter().enumerate().map(|(at, host)| (host.clone(), counts(at))).collect();
        kinds.push(Kind::RunFinished {
            stats,
            order: hosts,
            custom: BTreeMap::new(),
            interrupted: false,
        });
        let (out, _) =
            fixture::play(&events(kinds), |to| create("terminal", &settings(80), to).unwrap());
        insta::assert_snapshot!(out, @r#"

        PLAY all · 1000 hosts                                             srv/site.yml:1
          FAILED   node0001: write config                                 srv/site.yml:4
                   no space left
                     rc  1
          FAILED   write config · 250 changed · 500 ok · 250 failed · 8m 20s
                   the same on 249 more hosts

          failed: node0001 node0005 node0009 node0013 node0017 node0021 node0025
                  node0029 node0033 node0037 node0041 node0045 node0049 node0053
                  node0057 node0061 node0065 node0069 node0073 node0077 node0081
                  node0085 node0089 node0093 node0097 node0101 node0105 node0109
                  and 222 more hosts

        failed: 250 of 1000 hosts · 1 task · 0 changes · 8m 21s
        "#);
    }

    #[test]
    fn on_a_terminal_the_last_line_is_drawn_anew() {
        let settings = Settings { live: true, ..settings(80) };
        let kinds = vec![
            Kind::PlayStarted {
                play: 0,
                name: "all".to_owned(),
                hosts: vec!["a".to_owned(), "b".to_owned()],
                check: false,
                path: "/srv/site.yml:1".to_owned(),
            },
            task(0, "write config", "copy"),
            done(0, "a", end(Status::Ok, json!({}))),
        ];
        let (out, _) =
            fixture::play(&events(kinds), |to| create("terminal", &settings, to).unwrap());
        assert!(out.contains("write config · 0/2 hosts"), "{out:?}");
        assert!(out.contains("write config · 1/2 hosts"), "{out:?}");
        assert!(out.ends_with("\r\u{1b}[2K"), "{out:?}");
    }
}
