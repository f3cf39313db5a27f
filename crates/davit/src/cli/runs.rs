//! `davit runs`: the history of runs.

use std::fmt::Write as _;

use davit_store::{Keep, Run, Store};

use crate::config::Config;
use crate::report::{Report, exit, print, say};
use crate::setup::working_folder;

/// List the runs of the past, newest first.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit runs
  davit runs --limit 100 --json
  davit runs --keep 50         delete all but the newest 50")]
pub(crate) struct Args {
    /// At most so many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "NUMBER")]
    limit: usize,
    /// As one line of JSON for each run.
    #[arg(long)]
    json: bool,
    /// Delete all runs but the newest so many.
    #[arg(long, value_name = "NUMBER")]
    keep: Option<usize>,
}

/// The history, for reading.
pub(crate) fn open() -> Result<Store, Report> {
    let config = Config::load(&working_folder()?)?;
    let path = config.state().join("runs.db");
    if !path.is_file() {
        return Err(Report::new("no run has been recorded yet")
            .hint(format!("runs are kept in {}", path.display())));
    }
    Ok(Store::open(&path)?)
}

/// Lists them.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let store = open()?;
    if let Some(newest) = args.keep {
        let gone = store.prune(Keep { newest: Some(newest), since_ms: None })?;
        say(&format!("{gone} runs deleted"));
        return Ok(exit::OK);
    }
    let runs = store.runs(args.limit)?;
    let mut out = String::new();
    if args.json {
        for run in &runs {
            let line = serde_json::to_string(run).map_err(|error| Report::of(&error))?;
            let _ = writeln!(out, "{line}");
        }
    } else {
        let rows: Vec<[String; 6]> = runs.iter().map(row).collect();
        out = table(["RUN", "STARTED", "TOOK", "RESULT", "HOSTS", "WHAT"], &rows);
    }
    print(&out)?;
    Ok(exit::OK)
}

fn row(run: &Run) -> [String; 6] {
    let started = i64::try_from(run.started_ms)
        .ok()
        .and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let started = started.map(|it| {
        it.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    });
    let took =
        run.ended_ms.map(|end| format!("{:.1} s", seconds(end.saturating_sub(run.started_ms))));
    let what = if run.playbooks.is_empty() {
        run.command.get(1..).unwrap_or_default().join(" ")
    } else {
        run.playbooks.join(" ")
    };
    let check = if run.check { " (check)" } else { "" };
    [
        run.id.clone(),
        started.unwrap_or_default(),
        took.unwrap_or_default(),
        format!("{}{check}", run.status.word()),
        run.hosts.to_string(),
        what,
    ]
}

#[expect(clippy::cast_precision_loss, reason = "no run takes that long")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Columns with two spaces between them.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut line = |cells: &[&str]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(out, "{}", padded.join("  ").trim_end());
    };
    line(&head);
    for row in rows {
        line(&row.each_ref().map(String::as_str));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = ["a", "b", "cc", "d", "1", "long words"].map(str::to_owned);
        let text = table(["R", "S", "T", "R", "H", "W"], &[row]);
        assert_eq!(text, "R  S  T   R  H  W\na  b  cc  d  1  long words\n");
    }
}
