//! Which view a run has, and how it looks: from options, configuration and the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, Once, OnceLock, PoisonError};

use davit_event::{Event, Kind, Level, Sink};
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::report::{Report, warn};
use crate::view::{self, Format, JunitSettings, Outputs, Palette, Settings, Size, Stage};

/// How a run is shown.
pub(crate) struct Screen {
    pub(crate) settings: Settings,
    /// The view's name.
    pub(crate) view: String,
    /// It is davit's own view, which may say more than the original would.
    deprecations: bool,
}

/// What decides on the view besides the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// `--output`.
    pub(crate) output: Option<String>,
    /// Called by a name of the original.
    pub(crate) is_link: bool,
    /// The view where nothing names one.
    pub(crate) default: Option<&'static str>,
    /// The configuration's word counts although there is a default.
    pub(crate) configurable: bool,
    pub(crate) verbosity: u8,
}

/// Texts of the command line, by the names under which problems point at them.
static MADE: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// The live region on the terminal, where there is one.
static STAGE: LazyLock<Stage> = LazyLock::new(Stage::default);

/// Does something to the terminal while no live region is in the way.
pub(crate) fn aside<R>(what: impl FnOnce() -> R) -> R {
    STAGE.aside(what)
}

/// The run is over: nothing is drawn any more, even where its last event did not come.
pub(crate) fn leave() {
    STAGE.leave();
}

/// Notices whenever the program goes on after Ctrl-Z. Never ends.
pub(crate) async fn notice_resumption() {
    let kind = SignalKind::from_raw(Signal::SIGCONT as i32);
    // A system that does not tell leaves an old region on the screen, and nothing worse.
    let Ok(mut resumed) = signal(kind) else { return std::future::pending().await };
    while resumed.recv().await.is_some() {
        STAGE.resumed();
    }
    std::future::pending::<()>().await;
}

/// What a panic says does not mix with the live region.
fn make_way_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            STAGE.panicked();
            before(info);
        }));
    });
}

fn size() -> Option<Size> {
    let (width, height) = terminal_size::terminal_size()?;
    Some((usize::from(width.0), usize::from(height.0)))
}

/// Says what stands in texts that no file holds; once, before the run.
pub(crate) fn made(texts: Vec<(String, String)>) {
    // A second run in one process has no other texts.
    let _ = MADE.set(texts);
}

/// What stands in a file, or in a text of the command line.
pub(crate) fn source(name: &str) -> Option<String> {
    let name = name.strip_suffix(":0:0").unwrap_or(name);
    let known = MADE.get().and_then(|texts| texts.iter().find(|(it, _)| it == name));
    match known {
        Some((_, text)) => Some(text.clone()),
        None => std::fs::read_to_string(name).ok(),
    }
}

/// True where what is printed now, before any configuration was read, may have colours.
pub(crate) fn colour_now() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    set("ANSIBLE_FORCE_COLOR")
        || (io::stderr().is_terminal() && !set("NO_COLOR") && !set("ANSIBLE_NOCOLOR"))
}

impl Screen {
    /// Works out how a run is to look.
    pub(crate) fn new(config: &Config, wanted: &Wanted) -> Result<Self, Report> {
        let terminal = io::stdout().is_terminal();
        let configured = config
            .get("DEFAULT_STDOUT_CALLBACK")
            .filter(|_| wanted.default.is_none() || wanted.configurable);
        let chosen = wanted.output.as_deref().or(configured).or(wanted.default);
        let own = terminal && !wanted.is_link;
        let name = chosen.unwrap_or(if own { "terminal" } else { "default" }).to_owned();
        let is_own = name == "terminal";
        Ok(Self {
            settings: settings(config, wanted.verbosity, is_own)?,
            view: name,
            deprecations: config.is("DEPRECATION_WARNINGS")?,
        })
    }

    /// The views of a run.
    pub(crate) fn sinks(&self, config: &Config) -> Result<Vec<Box<dyn Sink>>, Report> {
        if self.settings.live {
            make_way_for_panics();
        }
        let main = view::create(&self.view, &self.settings, terminal_outputs())
            .ok_or_else(|| no_view(&self.view))?;
        let mut sinks: Vec<Box<dyn Sink>> = vec![self.filtered(main)];
        for name in config.list("CALLBACKS_ENABLED").unwrap_or_default() {
            if name.rsplit('.').next() == Some("junit") {
                sinks.push(view::create_junit(junit(config)));
            } else if name.rsplit('.').next() == Some("tree") {
                let set = config
                    .plugin(&["ANSIBLE_CALLBACK_TREE_DIR"], &[("callback_tree", "directory")]);
                sinks.push(view::create_tree(config.expand(set.unwrap_or("~/.ansible/tree"))));
            } else if let Some(view) =
                view::create_timing(&name, &self.settings, terminal_outputs())
            {
                sinks.push(view);
            } else {
                warn(&format!("Skipping callback plugin '{name}', unable to load"));
            }
        }
        if let Some(path) = config.path_of("DEFAULT_LOG_PATH")
            && let Some(log) = self.log(&path)
        {
            sinks.push(self.filtered(log));
        }
        Ok(sinks)
    }

    fn filtered(&self, inner: Box<dyn Sink>) -> Box<dyn Sink> {
        let inner = Box::new(Loud { inner, what: "the output is no longer written" });
        if self.deprecations { inner } else { Box::new(NoDeprecations(inner)) }
    }

    /// The file of `ANSIBLE_LOG_PATH`; where it cannot be written the run goes on without.
    fn log(&self, path: &Path) -> Option<Box<dyn Sink>> {
        let file = match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Arc::new(Mutex::new(file)),
            Err(error) => {
                warn(&format!(
                    "log file at {} is not writeable and we cannot create it, aborting: {error}",
                    path.display()
                ));
                return None;
            }
        };
        let outputs = Outputs {
            out: Box::new(LogLines { file: Arc::clone(&file), rest: String::new() }),
            err: Box::new(LogLines { file, rest: String::new() }),
        };
        let settings = Settings {
            colour: false,
            colour_err: false,
            live: false,
            width: None,
            ..self.settings.clone()
        };
        view::create("default", &settings, outputs)
    }
}

fn no_view(name: &str) -> Report {
    let known: Vec<&str> = view::NAMES.iter().map(|(name, _)| *name).collect();
    let report = Report::new(format!("there is no output format '{name}'"));
    match nearest(name, &known) {
        Some(near) => report.hint(format!("did you mean '{near}'?")),
        None => report.hint(format!("there are {}", known.join(", "))),
    }
}

/// The name that is most like `name`, where one is.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    nearest_ones(name, known).into_iter().next()
}

/// The names that are most like `name`, the nearest first: those that are nearly as near as it, and
/// three at most.
pub(crate) fn nearest_ones<'a>(name: &str, known: &[&'a str]) -> Vec<&'a str> {
    /// Names less alike than this are no slips of the finger.
    const ALIKE: f64 = 0.75;
    /// How much less alike than the nearest a name may be that is told beside it.
    const NEARLY: f64 = 0.05;
    let rated = known.iter().map(|it| (strsim::jaro_winkler(name, it), *it));
    let mut rated: Vec<(f64, &str)> = rated.filter(|(alike, _)| *alike > ALIKE).collect();
    rated.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    rated.dedup();
    let best = rated.first().map_or(0.0, |(alike, _)| *alike);
    rated.into_iter().filter(|(alike, _)| best - alike <= NEARLY).take(3).map(|it| it.1).collect()
}

fn terminal_outputs() -> Outputs {
    Outputs { out: Box::new(io::stdout()), err: Box::new(io::stderr()) }
}

fn settings(config: &Config, verbosity: u8, is_own: bool) -> Result<Settings, Report> {
    let terminal = io::stdout().is_terminal();
    let off = config.is("ANSIBLE_NOCOLOR")?;
    let forced = config.is("ANSIBLE_FORCE_COLOR")?;
    // The original has one answer for both outputs: that of standard output.
    let colour = forced || (!off && terminal);
    let colour_err = if is_own { forced || (!off && io::stderr().is_terminal()) } else { colour };
    let variable = |name: &str| config.environment.get(name).filter(|it| !it.is_empty());
    let live = terminal && variable("TERM").is_some_and(|it| it != "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name));
    let unicode = !terminal || locale.is_some_and(|it| is_utf8(it));
    Ok(Settings {
        colour,
        colour_err,
        palette: palette(config)?,
        width: size().filter(|_| terminal).map(|(width, _)| width),
        live,
        size: if live { size } else { || None },
        unicode,
        stage: STAGE.clone(),
        verbosity,
        check_mode_markers: config.is("CALLBACK_CHECK_MODE_MARKERS")?,
        show_custom_stats: config.is("SHOW_CUSTOM_STATS")?,
        display_skipped_hosts: config.is("DISPLAY_SKIPPED_HOSTS")?,
        display_ok_hosts: config.is("CALLBACK_DISPLAY_OK_HOSTS")?,
        display_failed_stderr: config.is("CALLBACK_DISPLAY_FAILED_STDERR")?,
        show_task_path_on_failure: config.is("CALLBACK_SHOW_TASK_PATH_ON_FAILURE")?,
        show_per_host_start: config.is("CALLBACK_SHOW_PER_HOST_START")?,
        display_args_to_stdout: config.is("DISPLAY_ARGS_TO_STDOUT")?,
        result_format: match config.choice("CALLBACK_RESULT_FORMAT", &["json", "yaml"])?.as_str() {
            "yaml" => Format::Yaml,
            _ => Format::Json,
        },
        pretty_results: config.flag("CALLBACK_FORMAT_PRETTY")?,
        result_indentation: usize_of(config.number("CALLBACK_RESULT_INDENTATION")?, 4),
        diff_context: usize_of(config.number("DIFF_CONTEXT")?, 3),
        source,
    })
}

/// True for `en_GB.UTF-8`, `C.utf8` and the like.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8") || locale.contains(".utf-8@")
}

fn usize_of(number: Option<u64>, default: usize) -> usize {
    number.and_then(|it| usize::try_from(it).ok()).unwrap_or(default)
}

fn palette(config: &Config) -> Result<Palette, Report> {
    let code = |name: &str| {
        let colour = config.text(name);
        view::colour_code(&colour)
            .ok_or_else(|| Report::new(format!("'{colour}' is no colour (the setting {name})")))
    };
    Ok(Palette {
        ok: code("COLOR_OK")?,
        changed: code("COLOR_CHANGED")?,
        skip: code("COLOR_SKIP")?,
        included: code("COLOR_INCLUDED")?,
        error: code("COLOR_ERROR")?,
        unreachable: code("COLOR_UNREACHABLE")?,
        warn: code("COLOR_WARN")?,
        deprecate: code("COLOR_DEPRECATE")?,
        verbose: code("COLOR_VERBOSE")?,
        debug: code("COLOR_DEBUG")?,
        diff_add: code("COLOR_DIFF_ADD")?,
        diff_remove: code("COLOR_DIFF_REMOVE")?,
        diff_lines: code("COLOR_DIFF_LINES")?,
    })
}

/// The variables that the original's `junit` callback reads.
fn junit(config: &Config) -> JunitSettings {
    let text = |name: &str| config.environment.get(name).cloned();
    let flag = |name: &str, default: bool| {
        text(name)
            .map_or(default, |it| matches!(it.to_lowercase().as_str(), "yes" | "true" | "1" | "on"))
    };
    let folder = text("JUNIT_OUTPUT_DIR").unwrap_or_else(|| "~/.ansible.log".to_owned());
    JunitSettings {
        task_class: flag("JUNIT_TASK_CLASS", false),
        task_relative_path: text("JUNIT_TASK_RELATIVE_PATH"),
        replace_out_of_tree_path: text("JUNIT_REPLACE_OUT_OF_TREE_PATH"),
        fail_on_change: flag("JUNIT_FAIL_ON_CHANGE", false),
        fail_on_ignore: flag("JUNIT_FAIL_ON_IGNORE", false),
        include_setup_tasks_in_report: flag("JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT", true),
        hide_task_arguments: flag("JUNIT_HIDE_TASK_ARGUMENTS", false),
        test_case_prefix: text("JUNIT_TEST_CASE_PREFIX").unwrap_or_default(),
        ..JunitSettings::new(config.expand(&folder))
    }
}

/// Says when a listener gives up: the run goes on without it, and nobody would know.
pub(crate) struct Loud {
    pub(crate) inner: Box<dyn Sink>,
    pub(crate) what: &'static str,
}

impl Sink for Loud {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let result = self.inner.accept(event);
        if let Err(error) = &result
            // A reader that went away has read enough.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            warn(&format!("{}: {error}", self.what));
        }
        result
    }
}

/// Leaves deprecation warnings out: `deprecation_warnings = false`.
struct NoDeprecations(Box<dyn Sink>);

impl Sink for NoDeprecations {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        match event.kind {
            Kind::Message { level: Level::Deprecated, .. } => Ok(()),
            _ => self.0.accept(event),
        }
    }
}

/// Puts time and process before each line of a log file.
struct LogLines {
    file: Arc<Mutex<File>>,
    rest: String,
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.push_str(&String::from_utf8_lossy(bytes));
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            if line.trim().is_empty() {
                continue;
            }
            let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
            let text = format!("{now} p={} n=davit INFO| {line}", std::process::id());
            self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_known() {
        assert_eq!(nearest("defualt", &["default", "json"]), Some("default"));
        assert_eq!(nearest("zzz", &["default", "json"]), None);
    }

    #[test]
    fn a_locale_tells_whether_it_is_of_unicode() {
        for (locale, expect) in [
            ("en_GB.UTF-8", true),
            ("C.utf8", true),
            ("de_DE.UTF-8@euro", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE.ISO-8859-1", false),
        ] {
            assert_eq!(is_utf8(locale), expect, "{locale}");
        }
    }
}
