//! What the view knows of the run, and when it writes.
//!
//! Without a live region, every event is written at once. With one, the screen is written to some ten
//! times a second, whatever happens: lines that stay first, the region below them.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

use davit_event::{Cause, Event, Kind};

use crate::view::paint::Screen;
use crate::view::timing::Durations;
use crate::view::{Outputs, Settings};

use super::fleet::Fleet;
use super::live::{Height, Picture, Region};
use super::marks::Signs;
use super::summary;
use super::task::Running;

/// Lines are set for this many columns where there is no terminal.
const WIDTH: usize = 100;
/// Narrower terminals are written to as if they had so many.
const NARROWEST: usize = 20;
/// Rows where the terminal does not tell.
const ROWS: usize = 24;
/// The screen is written to no more often.
const PACE: Duration = Duration::from_millis(80);

/// The view's state.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) screen: Screen,
    pub(super) signs: &'static Signs,
    pub(super) width: usize,
    pub(super) run: String,
    pub(super) began_ms: u64,
    pub(super) tasks: HashMap<u32, Running>,
    /// Tasks that have something to tell yet.
    pub(super) open: BTreeSet<u32>,
    /// Where hosts go on for themselves, each starts a task for itself: the same one by its first
    /// number.
    pub(super) same: HashMap<u32, u32>,
    /// The first number of a task that is going on, by its name and place.
    pub(super) first: HashMap<(String, String), u32>,
    /// Hosts go on for themselves.
    pub(super) apart: bool,
    /// Hosts of the play, and those that have left it.
    pub(super) hosts: u32,
    pub(super) gone: u32,
    /// The task that started last.
    pub(super) current: Option<u32>,
    /// The play has one host only, which need not be named.
    pub(super) alone: bool,
    /// The play has more hosts than can be followed one by one.
    pub(super) is_wide: bool,
    pub(super) durations: Durations,
    /// Tasks of the run that have started.
    pub(super) ran: u32,
    /// The time: of the last event, or later.
    pub(super) now_ms: u64,
    /// When the last event came.
    heard: Instant,
    live: Live,
}

/// What there is to know to draw the region.
#[derive(Default)]
struct Live {
    fleet: Fleet,
    region: Region,
    height: Height,
    frame: usize,
    /// Tasks of the run that had started when the play began.
    before: u32,
    play_began_ms: u64,
    rows: usize,
    /// Somebody sees to it that lines do not wait: they need not be written at once.
    is_paced: bool,
    written: Option<Instant>,
    /// So many others write to the terminal now.
    held: u32,
    /// Nothing is drawn any more.
    is_over: bool,
}

impl State {
    pub(super) fn new(settings: Settings, to: Outputs) -> Self {
        let screen = Screen::new(&settings, to);
        Self {
            signs: Signs::new(settings.unicode),
            width: settings.width.unwrap_or(WIDTH).max(NARROWEST),
            settings,
            screen,
            run: String::new(),
            began_ms: 0,
            tasks: HashMap::new(),
            open: BTreeSet::new(),
            same: HashMap::new(),
            first: HashMap::new(),
            apart: false,
            hosts: 0,
            gone: 0,
            current: None,
            alone: false,
            is_wide: false,
            durations: Durations::default(),
            ran: 0,
            now_ms: 0,
            heard: Instant::now(),
            live: Live { rows: ROWS, ..Live::default() },
        }
    }

    /// Ticks will come: between them, nothing needs to be written.
    pub(super) fn pace(&mut self) {
        self.live.is_paced = true;
    }

    pub(super) fn accept(&mut self, event: &Event) -> io::Result<()> {
        if self.began_ms == 0 {
            self.began_ms = event.at_ms;
        }
        self.now_ms = event.at_ms;
        self.heard = Instant::now();
        self.durations.take(event);
        self.render(event);
        if self.settings.live {
            self.follow(event);
        }
        self.write_due();
        if !self.settings.live {
            return self.screen.flush();
        }
        let early = self.live.written.is_some_and(|written| written.elapsed() < PACE);
        if self.live.is_paced && early && !self.live.is_over { Ok(()) } else { self.paint() }
    }

    /// What the region shows.
    fn follow(&mut self, event: &Event) {
        match &event.kind {
            Kind::PlayStarted { .. } => {
                self.live.height = Height::default();
                self.live.before = self.ran;
                self.live.play_began_ms = event.at_ms;
            }
            Kind::RunFinished { .. } => self.live.is_over = true,
            _ => {}
        }
        let same = &self.same;
        self.live.fleet.take(event, |task| same.get(&task).copied().unwrap_or(task));
    }

    fn number(&self, task: u32) -> u32 {
        self.same.get(&task).copied().unwrap_or(task)
    }

    fn render(&mut self, event: &Event) {
        match &event.kind {
            Kind::RunStarted { run, check, .. } => {
                self.run.clone_from(run);
                self.began_ms = event.at_ms;
                if *check {
                    self.line("check mode: nothing is changed", None);
                }
            }
            Kind::PlayStarted { name, hosts, path, .. } => self.play(name, hosts, path),
            Kind::NoHostsMatched => self.state("skipped", "no hosts match", ""),
            Kind::NoHostsRemaining => {
                self.close_all();
                self.line("no hosts are left", Some(&self.settings.palette.error.clone()));
            }
            Kind::TaskStarted { .. } => self.task(&event.kind),
            Kind::HostStarted { task, .. } => {
                let number = self.number(*task);
                if let Some(task) = self.tasks.get_mut(&number) {
                    task.started += 1;
                }
            }
            Kind::ItemDone { task, host, end } => self.item(self.number(*task), host, end),
            Kind::Retry { task, host, left, .. } => self.retry(self.number(*task), host, *left),
            Kind::HostDone { task, host, end, .. } => self.host(self.number(*task), host, end),
            Kind::Connected { host, ms, pushed } => self.connected(host, *ms, *pushed),
            Kind::Lost { host, why } => self.lost(host, why),
            Kind::Message { level, text, origin, help } => {
                let cause =
                    Cause { message: text.clone(), origin: origin.clone(), help: help.clone() };
                self.message(*level, &cause);
            }
            Kind::RunFinished { stats, order, custom, interrupted } => {
                self.close_all();
                summary::write(self, event.at_ms, stats, order, *interrupted);
                if self.settings.show_custom_stats {
                    summary::custom(self, custom);
                }
            }
            _ => {}
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        let ms = u64::try_from(self.heard.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now_ms = self.now_ms.saturating_add(ms);
        self.heard = Instant::now();
        self.live.frame = self.live.frame.wrapping_add(1);
        self.write_due();
        self.paint()
    }

    /// Writes what has been gathered, and the region below it.
    fn paint(&mut self) -> io::Result<()> {
        if self.live.held > 0 {
            return Ok(());
        }
        self.measure();
        let mut lines = Vec::new();
        if !self.live.is_over {
            let picture = Picture {
                fleet: &self.live.fleet,
                tasks: &self.tasks,
                current: self.current,
                started: self.ran.saturating_sub(self.live.before),
                play_began_ms: self.live.play_began_ms,
                now_ms: self.now_ms,
                width: self.width,
                frame: self.live.frame,
                signs: self.signs,
                palette: &self.settings.palette,
                colour: self.screen.colour(),
            };
            lines = picture.lines(&mut self.live.height, self.live.rows);
        }
        let wiped =
            if self.screen.is_empty() { String::new() } else { self.live.region.wipe(self.width) };
        let drawn = self.live.region.draw(lines, self.width);
        self.screen.surround(&wiped, &drawn);
        self.live.written = Some(Instant::now());
        self.screen.flush()
    }

    /// The terminal may have another size by now.
    fn measure(&mut self) {
        if let Some((columns, rows)) = (self.settings.size)() {
            self.resize(columns, rows);
        }
    }

    pub(super) fn resize(&mut self, columns: usize, rows: usize) {
        self.width = columns.max(NARROWEST);
        self.settings.width = Some(self.width);
        self.live.rows = rows;
    }

    /// Somebody else writes to the terminal: the region makes way until it is released.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        self.live.held += 1;
        let wiped = self.live.region.wipe(self.width);
        self.screen.surround(&wiped, "");
        self.screen.flush()
    }

    pub(super) fn release(&mut self) {
        self.live.held = self.live.held.saturating_sub(1);
    }

    /// The region is no longer where it was drawn: the program was stopped, and goes on.
    pub(super) fn forget(&mut self) {
        self.live.region.forget();
    }

    /// Writes what is left, and takes the region away for good.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        self.close_all();
        self.live.is_over = true;
        self.live.held = 0;
        if self.settings.live { self.paint() } else { self.screen.flush() }
    }
}
