//! What a run looks like: each view is a [`Sink`] that turns events into text.
//!
//! ```text
//! let out = Outputs { out: Box::new(io::stdout()), err: Box::new(io::stderr()) };
//! let view = view::create("default", &settings, out)?;      // a Box<dyn Sink> for the bus
//! ```
//!
//! `default`, `minimal`, `oneline`, `json` and `jsonl` print what the original's callbacks of these
//! names print; `terminal` is davit's own. A view knows nothing but its settings and the events: a
//! recorded run shows as it did live.

mod diff;
mod dump;
mod events;
#[cfg(test)]
mod fixture;
mod json;
mod junit;
mod message;
mod minimal;
mod paint;
mod problem;
mod recap;
mod result;
mod terminal;
mod timing;
mod traditional;
mod tree;

use std::io::Write;

use davit_event::Sink;

pub(crate) use crate::view::junit::JunitSettings;
pub(crate) use crate::view::message::DEPRECATIONS_CAN_BE_DISABLED;
pub(crate) use crate::view::paint::{Palette, colour_code};
pub(crate) use crate::view::problem::text as problem_text;
pub(crate) use crate::view::terminal::{Size, Stage};

/// A difference as text, without colours.
pub(crate) fn diff_text(diff: &serde_json::Value) -> String {
    diff::text(diff, Settings::default().diff_context, None)
}

/// A reader of source files, for the lines around a failure's place; nothing where it cannot.
pub(crate) type ReadSource = fn(&str) -> Option<String>;

/// How results are set out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As YAML.
    Yaml,
}

/// What every view may be told; the names are the original's.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Colours on standard output.
    pub(crate) colour: bool,
    /// Colours on standard error.
    pub(crate) colour_err: bool,
    /// Which colours.
    pub(crate) palette: Palette,
    /// Columns of the terminal; none where the output is none.
    pub(crate) width: Option<usize>,
    /// The output is a terminal on which lines may be drawn anew.
    pub(crate) live: bool,
    /// Columns and rows of the terminal at this moment; none where they stay as they are.
    pub(crate) size: fn() -> Option<Size>,
    /// The terminal shows more than ASCII.
    pub(crate) unicode: bool,
    /// Who needs the live region out of the way finds it here.
    pub(crate) stage: Stage,
    /// How many `-v`.
    pub(crate) verbosity: u8,
    pub(crate) check_mode_markers: bool,
    pub(crate) show_custom_stats: bool,
    pub(crate) display_skipped_hosts: bool,
    pub(crate) display_ok_hosts: bool,
    pub(crate) display_failed_stderr: bool,
    pub(crate) show_task_path_on_failure: bool,
    pub(crate) show_per_host_start: bool,
    pub(crate) display_args_to_stdout: bool,
    /// `callback_result_format`.
    pub(crate) result_format: Format,
    /// `callback_format_pretty`; none for the format's own default.
    pub(crate) pretty_results: Option<bool>,
    /// `callback_result_indentation`.
    pub(crate) result_indentation: usize,
    /// Lines around a change in a diff: `diff.context`.
    pub(crate) diff_context: usize,
    /// Reads source files.
    pub(crate) source: ReadSource,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            colour: false,
            colour_err: false,
            palette: Palette::default(),
            width: None,
            live: false,
            size: || None,
            unicode: true,
            stage: Stage::default(),
            verbosity: 0,
            check_mode_markers: false,
            show_custom_stats: false,
            display_skipped_hosts: true,
            display_ok_hosts: true,
            display_failed_stderr: false,
            show_task_path_on_failure: false,
            show_per_host_start: false,
            display_args_to_stdout: false,
            result_format: Format::Json,
            pretty_results: None,
            result_indentation: 4,
            diff_context: 3,
            source: |_| None,
        }
    }
}

/// Where a view writes.
pub(crate) struct Outputs {
    /// Results.
    pub(crate) out: Box<dyn Write + Send>,
    /// Warnings, and failures where they are wanted there.
    pub(crate) err: Box<dyn Write + Send>,
}

/// The views that write to the screen, in the order to list them.
pub(crate) const NAMES: &[(&str, &str)] = &[
    ("default", "what ansible-playbook prints"),
    ("json", "one JSON document at the end"),
    ("jsonl", "one line of JSON for each of the original's callbacks"),
    ("events", "davit's own events, one line of JSON each"),
    ("minimal", "the results only"),
    ("null", "nothing"),
    ("oneline", "one line for each result"),
    ("terminal", "davit's own: what runs now, what changed, what failed and why"),
    ("yaml", "as default, with results in YAML"),
];

/// The view of that name, or of its full name as in `ansible.posix.json`.
pub(crate) fn create(name: &str, settings: &Settings, to: Outputs) -> Option<Box<dyn Sink>> {
    let settings = settings.clone();
    Some(match name.rsplit('.').next()? {
        "default" => Box::new(traditional::Traditional::new(settings, to)),
        "yaml" => Box::new(traditional::Traditional::new(
            Settings { result_format: Format::Yaml, ..settings },
            to,
        )),
        "minimal" => Box::new(minimal::Minimal::new(settings, to)),
        "oneline" => Box::new(minimal::Oneline::new(settings, to)),
        "json" => Box::new(json::Document::new(settings, to)),
        "jsonl" => Box::new(json::Lines::new(settings, to)),
        "events" => Box::new(events::Events::new(to)),
        "terminal" => Box::new(terminal::Terminal::new(settings, to)),
        "null" => Box::new(events::Nothing),
        _ => return None,
    })
}

/// The additional views of `callbacks_enabled`, which write beside the main one: `timer`,
/// `profile_tasks`.
pub(crate) fn create_timing(name: &str, settings: &Settings, to: Outputs) -> Option<Box<dyn Sink>> {
    let settings = settings.clone();
    Some(match name.rsplit('.').next()? {
        "timer" => Box::new(timing::Timer::new(settings, to)),
        "profile_tasks" => Box::new(timing::Profile::new(settings, to)),
        _ => return None,
    })
}

/// The `tree` view, which writes a file for each host.
pub(crate) fn create_tree(folder: std::path::PathBuf) -> Box<dyn Sink> {
    Box::new(tree::Tree::new(folder))
}

/// The `junit` view, which writes a file for each playbook.
pub(crate) fn create_junit(settings: JunitSettings) -> Box<dyn Sink> {
    Box::new(junit::Junit::new(settings))
}
