//! `timer` and `profile_tasks`: how long the run and its tasks took, said at the end.

use std::io;

use davit_event::{Event, Kind, Sink};

use crate::view::paint::{Screen, To, columns};
use crate::view::problem::path_of;
use crate::view::{Outputs, Settings};

/// The width that lines are filled to where there is no terminal.
const WIDTH: usize = 79;
/// At most so many of the slowest tasks are listed.
const SLOWEST: usize = 20;

/// The view `timer`.
pub(crate) struct Timer {
    screen: Screen,
    began_ms: u64,
}

impl Timer {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        Self { screen: Screen::new(&settings, to), began_ms: 0 }
    }
}

impl Sink for Timer {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        match event.kind {
            Kind::RunStarted { .. } => self.began_ms = event.at_ms,
            Kind::RunFinished { .. } => {
                let seconds = event.at_ms.saturating_sub(self.began_ms) / 1000;
                let text = format!(
                    "Playbook run took {} days, {} hours, {} minutes, {} seconds",
                    seconds / 86_400,
                    seconds / 3600 % 24,
                    seconds / 60 % 60,
                    seconds % 60
                );
                self.screen.line(To::Out, &text, None);
            }
            _ => {}
        }
        self.screen.flush()
    }
}

/// How long each start of a task took: until the next one, or the end.
#[derive(Default)]
pub(crate) struct Durations {
    list: Vec<Duration>,
    open: Option<(String, String, u64)>,
}

/// A task and how long it took.
#[derive(Clone, Debug)]
pub(crate) struct Duration {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) ms: u64,
}

impl Durations {
    /// Takes note of an event.
    pub(crate) fn take(&mut self, event: &Event) {
        let ends = matches!(
            event.kind,
            Kind::TaskStarted { .. }
                | Kind::PlayStarted { .. }
                | Kind::PlaybookFinished { .. }
                | Kind::RunFinished { .. }
        );
        if ends && let Some((name, path, began)) = self.open.take() {
            self.list.push(Duration { name, path, ms: event.at_ms.saturating_sub(began) });
        }
        if let Kind::TaskStarted { name, path, .. } = &event.kind {
            self.open = Some((name.clone(), path_of(path), event.at_ms));
        }
    }

    /// The slowest, slowest first.
    pub(crate) fn slowest(&self, most: usize) -> Vec<Duration> {
        let mut list = self.list.clone();
        list.sort_by_key(|duration| std::cmp::Reverse(duration.ms));
        list.truncate(most);
        list
    }
}

/// The view `profile_tasks`.
pub(crate) struct Profile {
    screen: Screen,
    durations: Durations,
    width: usize,
    paths: bool,
}

impl Profile {
    pub(crate) fn new(settings: Settings, to: Outputs) -> Self {
        Self {
            screen: Screen::new(&settings, to),
            durations: Durations::default(),
            width: settings.width.map_or(WIDTH, |width| width.saturating_sub(1).max(WIDTH)),
            paths: settings.verbosity > 0,
        }
    }
}

impl Sink for Profile {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        self.durations.take(event);
        if matches!(event.kind, Kind::RunFinished { .. }) {
            self.screen.line(To::Out, &format!("{} ", "=".repeat(self.width)), None);
            for Duration { name, path, ms } in self.durations.slowest(SLOWEST) {
                let time = format!(" {}.{:02}s", ms / 1000, ms % 1000 / 10);
                let fill = self.width.saturating_sub(columns(&name) + 1 + time.len()).max(3);
                self.screen.line(To::Out, &format!("{name} {}{time}", "-".repeat(fill)), None);
                if self.paths {
                    self.screen.line(To::Out, &path, None);
                }
            }
        }
        self.screen.flush()
    }
}

#[cfg(test)]
mod tests {
    use crate::view::{Settings, fixture};

    #[test]
    fn tasks_are_listed_slowest_first() {
        let (out, _) = fixture::show_timing("profile_tasks", &Settings::default());
        insta::assert_snapshot!(out, @r#"
        =============================================================================== 
        loop -------------------------------------------------------------------- 2.50s
        say --------------------------------------------------------------------- 2.00s
        restart ----------------------------------------------------------------- 2.00s
        role : open port -------------------------------------------------------- 2.00s
        write config ------------------------------------------------------------ 1.50s
        more -------------------------------------------------------------------- 1.50s
        "#);
        let (out, _) = fixture::show_timing("ansible.posix.timer", &Settings::default());
        insta::assert_snapshot!(out, @"Playbook run took 0 days, 0 hours, 0 minutes, 15 seconds");
    }
}
