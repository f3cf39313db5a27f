//! `junit`: a file of test cases for each playbook, as the original's callback writes it.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, io};

use davit_event::{End, Event, Kind, Sink, Status};
use serde_json::Value;

use crate::view::problem::path_of;
use crate::view::{dump, problem, result};

/// The options of the original's callback, which it reads from `JUNIT_*`.
#[derive(Clone, Debug)]
pub(crate) struct JunitSettings {
    pub(crate) output_dir: PathBuf,
    pub(crate) task_class: bool,
    /// Places are shown relative to this folder.
    pub(crate) task_relative_path: Option<String>,
    /// What stands for the folder of a place outside of it.
    pub(crate) replace_out_of_tree_path: Option<String>,
    pub(crate) fail_on_change: bool,
    pub(crate) fail_on_ignore: bool,
    pub(crate) include_setup_tasks_in_report: bool,
    pub(crate) hide_task_arguments: bool,
    pub(crate) test_case_prefix: String,
}

impl JunitSettings {
    /// The original's defaults, with files in `output_dir`.
    pub(crate) fn new(output_dir: PathBuf) -> Self {
        Self {
            output_dir,
            task_class: false,
            task_relative_path: None,
            replace_out_of_tree_path: None,
            fail_on_change: false,
            fail_on_ignore: false,
            include_setup_tasks_in_report: true,
            hide_task_arguments: false,
            test_case_prefix: String::new(),
        }
    }
}

struct Task {
    name: String,
    path: String,
    play: String,
    action: String,
    began_ms: u64,
}

struct Case {
    class: String,
    name: String,
    seconds: f64,
    outcome: Outcome,
}

enum Outcome {
    Passed(String),
    Skipped(String),
    Failure(String),
    Error { message: String, text: String },
}

/// The view.
pub(crate) struct Junit {
    settings: JunitSettings,
    playbook: String,
    play: String,
    tasks: HashMap<u32, Task>,
    cases: Vec<Case>,
}

impl Junit {
    pub(crate) fn new(settings: JunitSettings) -> Self {
        Self {
            settings,
            playbook: String::new(),
            play: String::new(),
            tasks: HashMap::new(),
            cases: Vec::new(),
        }
    }

    fn task(&mut self, kind: &Kind, at_ms: u64) {
        let Kind::TaskStarted { task, name, action, path, args, .. } = kind else { return };
        let mut name = name.trim().to_owned();
        if !self.settings.hide_task_arguments && !args.is_empty() {
            name = format!("{name} {args}");
        }
        let path = self.place(&path_of(path));
        let action = action.rsplit('.').next().unwrap_or_default().to_owned();
        let play = self.play.clone();
        self.tasks.insert(*task, Task { name, path, play, action, began_ms: at_ms });
    }

    /// A task's place as the report shows it.
    fn place(&self, path: &str) -> String {
        let Some(root) = &self.settings.task_relative_path else { return path.to_owned() };
        let inside = path.strip_prefix(root.as_str()).and_then(|rest| rest.strip_prefix('/'));
        match (inside, &self.settings.replace_out_of_tree_path) {
            (Some(rest), _) => rest.to_owned(),
            (None, Some(stand_in)) => {
                format!("{stand_in}{}", path.rsplit('/').next().unwrap_or(path))
            }
            (None, None) => path.to_owned(),
        }
    }

    fn done(&mut self, task: u32, host: &str, end: &End, at_ms: u64) {
        let Some(task) = self.tasks.get(&task) else { return };
        if task.action == "setup" && !self.settings.include_setup_tasks_in_report {
            return;
        }
        let failed = matches!(end.status, Status::Failed | Status::Unreachable)
            && (!end.ignored || self.settings.fail_on_ignore);
        let prefix = &self.settings.test_case_prefix;
        if !task.name.starts_with(prefix.as_str()) && !failed {
            return;
        }
        let class = if self.settings.task_class {
            let file = task.path.rsplit_once(':').map_or(task.path.as_str(), |(file, _)| file);
            file.strip_suffix(".yml").unwrap_or(file).to_owned()
        } else {
            task.path.clone()
        };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one task are few")]
        let seconds = at_ms.saturating_sub(task.began_ms) as f64 / 1000.0;
        self.cases.push(Case {
            class,
            name: format!("[{host}] {}: {}", task.play, task.name),
            seconds,
            outcome: self.outcome(&task.name, &task.action, end, failed),
        });
    }

    fn outcome(&self, name: &str, action: &str, end: &End, failed: bool) -> Outcome {
        let text = || dump::json_map(&result::shown_keys(&end.reply, action, 0), Some(4));
        let expected = name.contains("EXPECTED FAILURE");
        let toggled = name.contains("TOGGLE RESULT");
        if end.status == Status::Skipped {
            let reason = end.reply.get("skip_reason").and_then(Value::as_str);
            return Outcome::Skipped(reason.unwrap_or("skipped").to_owned());
        }
        let changed = end.status == Status::Changed && self.settings.fail_on_change;
        match (failed || changed, toggled) {
            (true, _) if expected || (toggled && failed) => Outcome::Passed(text()),
            (false, true) => Outcome::Failure(text()),
            (false, false) => Outcome::Passed(text()),
            (true, _) if changed && !failed => Outcome::Failure(text()),
            (true, _) => {
                let message = if end.causes.is_empty() {
                    end.reply.get("msg").and_then(Value::as_str).unwrap_or("failed").to_owned()
                } else {
                    problem::headline(&end.causes)
                };
                Outcome::Error { message, text: text() }
            }
        }
    }

    fn write(&mut self, at_ms: u64) -> io::Result<()> {
        if self.playbook.is_empty() {
            return Ok(());
        }
        let file = self.playbook.rsplit('/').next().unwrap_or(&self.playbook);
        let name = file.rsplit_once('.').map_or(file, |(name, _)| name).to_owned();
        let text = report(&name, &std::mem::take(&mut self.cases));
        self.playbook.clear();
        fs::create_dir_all(&self.settings.output_dir)?;
        let stamp = format!("{}.{:03}", at_ms / 1000, at_ms % 1000);
        fs::write(self.settings.output_dir.join(format!("{name}-{stamp}.xml")), text)
    }
}

impl Sink for Junit {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            Kind::PlaybookStarted { path, .. } => self.playbook.clone_from(path),
            Kind::PlayStarted { name, .. } => self.play = name.trim().to_owned(),
            Kind::TaskStarted { .. } => self.task(&event.kind, event.at_ms),
            Kind::HostDone { task, host, end, .. } => self.done(*task, host, end, event.at_ms),
            Kind::PlaybookFinished { .. } | Kind::RunFinished { .. } => {
                return self.write(event.at_ms);
            }
            _ => {}
        }
        Ok(())
    }
}

fn report(name: &str, cases: &[Case]) -> String {
    let count =
        |wanted: fn(&Outcome) -> bool| cases.iter().filter(|it| wanted(&it.outcome)).count();
    let errors = count(|outcome| matches!(outcome, Outcome::Error { .. }));
    let failures = count(|outcome| matches!(outcome, Outcome::Failure(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let tests = cases.len();
    let time: f64 = cases.iter().map(|case| case.seconds).sum();
    let mut out = String::from("<?xml version=\"1.0\" ?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<testsuites disabled=\"0\" errors=\"{errors}\" failures=\"{failures}\" tests=\"{tests}\" time=\"{time:.3}\">\n\
         \t<testsuite disabled=\"0\" errors=\"{errors}\" failures=\"{failures}\" name=\"{}\" skipped=\"{skipped}\" tests=\"{tests}\" time=\"{time:.3}\">",
        escape(name)
    );
    for case in cases {
        let _ = writeln!(
            out,
            "\t\t<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
            escape(&case.class),
            escape(&case.name),
            case.seconds
        );
        let line = match &case.outcome {
            Outcome::Passed(text) => format!("<system-out>{}</system-out>", escape(text)),
            Outcome::Skipped(why) => format!("<skipped>{}</skipped>", escape(why)),
            Outcome::Failure(text) => {
                format!("<failure type=\"failure\">{}</failure>", escape(text))
            }
            Outcome::Error { message, text } => format!(
                "<error message=\"{}\" type=\"error\">{}</error>",
                escape(message),
                escape(text)
            ),
        };
        let _ = writeln!(out, "\t\t\t{line}\n\t\t</testcase>");
    }
    out.push_str("\t</testsuite>\n</testsuites>\n");
    out
}

/// Text for XML; characters that XML cannot hold become a mark.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(char),
            control if control < ' ' => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture;

    #[test]
    #[expect(clippy::too_many_lines, reason = "the snapshot is long")]
    fn a_playbook_is_a_file_of_test_cases() {
        let folder = tempfile::tempdir().unwrap();
        let settings = JunitSettings {
            task_relative_path: Some("/srv".to_owned()),
            ..JunitSettings::new(folder.path().join("reports"))
        };
        fixture::play(&fixture::run(), |_| crate::view::create_junit(settings));
        let files: Vec<_> = fs::read_dir(folder.path().join("reports"))
            .unwrap()
            .map(|it| it.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        let text = fs::read_to_string(&files[0]).unwrap();
        insta::assert_snapshot!(text, @r#"
        <?xml version="1.0" ?>
        <testsuites disabled="0" errors="2" failures="0" tests="11" time="12.500">
        	<testsuite disabled="0" errors="2" failures="0" name="site" skipped="1" tests="11" time="12.500">
        		<testcase classname="site.yml:4" name="[web1] web: say _raw_params=x" time="1.000">
        			<system-out>{
            &quot;msg&quot;: &quot;hello web1&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:4" name="[web2] web: say _raw_params=x" time="1.500">
        			<system-out>{
            &quot;msg&quot;: &quot;hello web2&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:6" name="[web1] web: write config _raw_params=x" time="0.500">
        			<system-out>{
            &quot;changed&quot;: true,
            &quot;dest&quot;: &quot;/etc/c&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:6" name="[web2] web: write config _raw_params=x" time="1.000">
        			<system-out>{
            &quot;changed&quot;: false,
            &quot;dest&quot;: &quot;/etc/c&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:8" name="[web1] web: loop _raw_params=x" time="1.500">
        			<system-out>{
            &quot;changed&quot;: true,
            &quot;msg&quot;: &quot;All items completed&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:8" name="[web2] web: loop _raw_params=x" time="2.000">
        			<skipped>Conditional result was False</skipped>
        		</testcase>
        		<testcase classname="site.yml:10" name="[web1] web: more _raw_params=x" time="1.000">
        			<system-out>{
            &quot;changed&quot;: false,
            &quot;include&quot;: &quot;more.yml&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:12" name="[web1] web: restart _raw_params=x" time="1.000">
        			<system-out>{
            &quot;changed&quot;: true,
            &quot;cmd&quot;: [
                &quot;systemctl&quot;,
                &quot;restart&quot;,
                &quot;web&quot;
            ],
            &quot;msg&quot;: &quot;non-zero return code&quot;,
            &quot;rc&quot;: 1,
            &quot;stderr&quot;: &quot;first\nJob for web.service failed.&quot;,
            &quot;stderr_lines&quot;: [
                &quot;first&quot;,
                &quot;Job for web.service failed.&quot;
            ],
            &quot;stdout&quot;: &quot;&quot;,
            &quot;stdout_lines&quot;: []
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:12" name="[web2] web: restart _raw_params=x" time="1.500">
        			<system-out>{
            &quot;changed&quot;: false,
            &quot;rc&quot;: 0,
            &quot;stdout&quot;: &quot;up&quot;
        }</system-out>
        		</testcase>
        		<testcase classname="site.yml:14" name="[web2] web: role : open port _raw_params=x" time="0.500">
        			<error message="Task failed: 'port' is undefined" type="error">{
            &quot;msg&quot;: &quot;Task failed: 'port' is undefined&quot;
        }</error>
        		</testcase>
        		<testcase classname="site.yml:14" name="[web1] web: role : open port _raw_params=x" time="1.000">
        			<error message="Task failed: no route to host" type="error">{
            &quot;changed&quot;: false,
            &quot;msg&quot;: &quot;Task failed: no route to host&quot;,
            &quot;unreachable&quot;: true
        }</error>
        		</testcase>
        	</testsuite>
        </testsuites>
        "#);
    }
}
