//! What a user wrote, as options of the transfer: the task's arguments, then `rsync_opts` in
//! their order. What is not supported is refused by its name.
//!
//! It reads no file and knows no host.

use davit_host::own::synchronize::Options;
use schemars::JsonSchema;
use serde::Deserialize;

/// Makes a folder on a host the same as one of the controller's, or the other way round.
///
/// The options and their meaning are those of rsync, which is needed on neither side: files travel
/// over the connection that the host has anyway. What is the same already does not travel; what
/// differs travels whole.
///
/// A source that ends in a slash stands for what is in it. Files named `.rsync-filter` in the
/// folders of the source hold rules of what is left out. With `become`, the host's side is that
/// of the other user. With `delegate_to`, the other host takes the controller's place; delegated
/// to the task's own host, both sides are there.
///
/// ```yaml
/// - ansible.posix.synchronize:
///     src: site/
///     dest: /srv/www
///     delete: true
///     rsync_opts:
///       - --exclude=.git
///       - --chmod=D755,F644
/// - ansible.posix.synchronize:
///     mode: pull
///     src: /var/log/app
///     dest: logs/{{ inventory_hostname }}/
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that users know")]
pub(super) struct Args {
    /// The file or folder to send. A relative one is looked for in the `files` folder of the role,
    /// then beside the play; on a host it begins in the user's home.
    pub(super) src: String,
    /// Where it goes. Its last folder is made where it is missing.
    pub(super) dest: String,
    /// Which way: `push` to the host, `pull` from it.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Keep all there is to keep: `recursive`, `links`, `perms`, `times`, `owner`, `group`, and
    /// devices and named pipes.
    #[serde(default = "yes")]
    pub(super) archive: bool,
    /// Compare contents, not just size and time of last change.
    #[serde(default)]
    pub(super) checksum: bool,
    /// Has no effect: the connection packs what it carries by itself.
    #[serde(default = "yes")]
    pub(super) compress: bool,
    /// Make nothing new at the destination.
    #[serde(default)]
    pub(super) existing_only: bool,
    /// Remove what the source does not have, after all else; what is left out by a rule stays.
    /// Needs `recursive`.
    #[serde(default)]
    pub(super) delete: bool,
    /// Folders without what is in them.
    #[serde(default)]
    pub(super) dirs: bool,
    /// Folders with all that is in them; as `archive` where it is not given.
    pub(super) recursive: Option<bool>,
    /// Links as links; as `archive` where it is not given.
    pub(super) links: Option<bool>,
    /// Links as what they point to.
    #[serde(default)]
    pub(super) copy_links: bool,
    /// Keep permission bits; as `archive` where it is not given.
    pub(super) perms: Option<bool>,
    /// Keep times of last change; as `archive` where it is not given.
    pub(super) times: Option<bool>,
    /// Keep owners, where the receiving user is root; as `archive` where it is not given.
    pub(super) owner: Option<bool>,
    /// Keep groups, those that the receiving user may set; as `archive` where it is not given.
    pub(super) group: Option<bool>,
    /// Options as rsync takes them, one an entry. What is not supported is refused.
    #[serde(default)]
    pub(super) rsync_opts: Vec<String>,
    /// Folders at the destination: a new file that is the same there becomes a hard link to it.
    pub(super) link_dest: Option<Vec<String>>,
    /// Has no effect: a file is never seen by halves, and what was not sent whole is sent again.
    #[serde(default)]
    pub(super) partial: bool,
    /// Has no effect: each file is put in its place in one step.
    #[serde(default = "yes")]
    pub(super) delay_updates: bool,
    /// Has no effect: there is no rsync on the host.
    #[schemars(extend("x-type" = "raw"))]
    #[serde(default, rename = "rsync_path")]
    _rsync_path: serde_json::Value,
    /// Has no effect: a connection that says nothing for 20 seconds is given up.
    #[serde(default, rename = "rsync_timeout")]
    _rsync_timeout: i64,
    /// Has no effect: the host's own connection is used, at its own port.
    #[serde(default, rename = "dest_port")]
    _dest_port: Option<i64>,
    /// Has no effect: the host's own connection is used, as its own user.
    #[serde(default = "yes", rename = "set_remote_user")]
    _set_remote_user: bool,
    /// Has no effect: the host's own connection is used, with its own arguments.
    #[serde(default, rename = "use_ssh_args")]
    _use_ssh_args: bool,
    /// Has no effect: the host's own connection is used, and there is only one.
    #[serde(default, rename = "ssh_connection_multiplexing")]
    _ssh_connection_multiplexing: bool,
    /// Has no effect: the host's own connection is used, with its own key.
    #[serde(default, rename = "private_key")]
    #[schemars(extend("x-type" = "path"))]
    _private_key: Option<String>,
    /// Has no effect: the host's key is checked as for any other task.
    #[serde(default, rename = "verify_host")]
    _verify_host: bool,
}

fn yes() -> bool {
    true
}

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Mode {
    /// From the controller to the host.
    #[default]
    Push,
    /// From the host to the controller.
    Pull,
}

/// What comes of a user's options.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The transfer's options.
    pub(super) options: Options,
    /// Nothing is to be changed: `--dry-run`.
    pub(super) dry_run: bool,
    /// The command line that rsync would have had, without source and destination.
    pub(super) command: Vec<String>,
}

/// Reads the text of a file with patterns.
pub(super) type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl Wanted {
    /// What `args` ask for.
    ///
    /// # Errors
    /// The option that is not supported or makes no sense, in a sentence.
    pub(super) fn of(args: &Args, check: bool, read: ReadFile<'_>) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut words = vec!["--delay-updates".to_owned(), "-F".to_owned()];
        if !args.delay_updates {
            words.remove(0);
        }
        let mut say = |on: bool, word: &str| {
            if on {
                words.push(word.to_owned());
            }
        };
        say(args.compress, "--compress");
        say(check, "--dry-run");
        say(args.delete, "--delete-after");
        say(args.existing_only, "--existing");
        say(args.checksum, "--checksum");
        say(args.copy_links, "--copy-links");
        say(args.partial, "--partial");
        say(args.archive, "--archive");
        for (given, name) in [
            (args.recursive, "recursive"),
            (args.links, "links"),
            (args.perms, "perms"),
            (args.times, "times"),
            (args.owner, "owner"),
            (args.group, "group"),
        ] {
            match given {
                Some(true) if !args.archive => words.push(format!("--{name}")),
                Some(false) if args.archive => words.push(format!("--no-{name}")),
                _ => {}
            }
        }
        if args.dirs {
            words.push("--dirs".to_owned());
        }
        for folder in args.link_dest.iter().flatten() {
            words.push(format!("--link-dest={folder}"));
        }
        words.extend(args.rsync_opts.iter().cloned());
        wanted.take(&words, read)?;
        wanted.command = words;
        let options = &wanted.options;
        if options.delete && !options.recursive && !options.dirs {
            return Err("--delete does not work without --recursive (-r) or --dirs (-d).".into());
        }
        Ok(wanted)
    }

    fn take(&mut self, words: &[String], read: ReadFile<'_>) -> Result<(), String> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.is_empty() {
                continue;
            }
            let Some(long) = word.strip_prefix("--") else {
                let letters = word.strip_prefix('-').filter(|it| !it.is_empty());
                let letters =
                    letters.ok_or_else(|| format!("rsync_opts: '{word}' is no option of rsync"))?;
                self.letters(word, letters, &mut words, read)?;
                continue;
            };
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            if self.switch(name) {
                if value.is_some() {
                    return Err(format!("rsync_opts: --{name} takes no value"));
                }
                continue;
            }
            let mut value = || {
                value
                    .clone()
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| format!("rsync_opts: --{name} needs a value"))
            };
            if !self.valued(name, &mut value, read)? {
                return Err(format!("rsync_opts: '{word}' is not supported"));
            }
        }
        Ok(())
    }

    /// Options of one letter, several in a word.
    fn letters(
        &mut self,
        word: &str,
        letters: &str,
        words: &mut std::slice::Iter<'_, String>,
        read: ReadFile<'_>,
    ) -> Result<(), String> {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            let long = LETTERS.iter().find(|(it, _)| *it == letter).map(|(_, long)| *long);
            let Some(long) = long else {
                return Err(format!("rsync_opts: '-{letter}' in '{word}' is not supported"));
            };
            if self.switch(long) {
                continue;
            }
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            let mut value = || {
                let own = (!rest.is_empty()).then(|| rest.to_owned());
                own.or_else(|| words.next().cloned())
                    .ok_or_else(|| format!("rsync_opts: -{letter} needs a value"))
            };
            self.valued(long, &mut value, read)?;
            return Ok(());
        }
        Ok(())
    }

    /// An option without a value; false where it is none.
    fn switch(&mut self, name: &str) -> bool {
        let it = &mut self.options;
        let (on, plain) = match name.strip_prefix("no-") {
            Some(plain) => (false, plain),
            None => (true, name),
        };
        match plain {
            "recursive" | "r" => it.recursive = on,
            "links" | "l" => it.links = on,
            "perms" | "p" => it.perms = on,
            "times" | "t" => it.times = on,
            "owner" | "o" => it.owner = on,
            "group" | "g" => it.group = on,
            "devices" => it.devices = on,
            "specials" => it.specials = on,
            "D" => (it.devices, it.specials) = (on, on),
            "dirs" | "d" => it.dirs = on,
            "numeric-ids" => it.numeric_ids = on,
            "omit-dir-times" | "O" => it.omit_dir_times = on,
            "omit-link-times" | "J" => it.omit_link_times = on,
            "checksum" | "c" => it.checksum = on,
            "keep-dirlinks" | "K" => it.keep_dirlinks = on,
            "prune-empty-dirs" | "m" => it.prune_empty_dirs = on,
            "mkpath" => it.mkpath = on,
            "force" => it.force = on,
            // How contents travel and what is told of it is davit's affair.
            "compress" | "z" | "partial" | "whole-file" | "W" | "verbose" | "v"
            | "itemize-changes" | "i" | "human-readable" | "h" | "progress" | "implied-dirs"
            | "i-r" | "inc-recursive" | "motd" | "8-bit-output" | "8" | "blocking-io"
            | "protect-args" | "secluded-args" | "s" | "super" => {}
            "iconv" | "timeout" | "contimeout" if !on => {}
            _ => return on && self.plain_switch(plain),
        }
        true
    }

    /// An option that cannot be switched off.
    fn plain_switch(&mut self, name: &str) -> bool {
        let it = &mut self.options;
        match name {
            "archive" => {
                (it.recursive, it.links, it.perms, it.times) = (true, true, true, true);
                (it.owner, it.group, it.devices, it.specials) = (true, true, true, true);
            }
            "old-dirs" | "old-d" => it.dirs = true,
            "copy-links" => it.copy_links = true,
            "copy-dirlinks" => it.copy_dirlinks = true,
            "delete" | "del" | "delete-before" | "delete-during" | "delete-delay"
            | "delete-after" => it.delete = true,
            "delete-excluded" => (it.delete, it.delete_excluded) = (true, true),
            "size-only" => it.size_only = true,
            "ignore-times" => it.ignore_times = true,
            "update" => it.update = true,
            "existing" | "ignore-non-existing" => it.existing = true,
            "ignore-existing" => it.ignore_existing = true,
            "dry-run" => self.dry_run = true,
            "F" => {
                let first = ": /.rsync-filter";
                let second = "- .rsync-filter";
                let again = it.rules.iter().any(|it| it == first);
                it.rules.push(if again { second } else { first }.to_owned());
            }
            "quiet" | "delay-updates" | "partial-progress" => {}
            _ => return false,
        }
        true
    }

    /// An option with a value; false where it is none.
    fn valued(
        &mut self,
        name: &str,
        value: &mut dyn FnMut() -> Result<String, String>,
        read: ReadFile<'_>,
    ) -> Result<bool, String> {
        let it = &mut self.options;
        match name {
            "exclude" => it.rules.push(pattern('-', &value()?)),
            "include" => it.rules.push(pattern('+', &value()?)),
            "filter" => it.rules.push(value()?),
            "exclude-from" | "include-from" => {
                let sign = if name == "exclude-from" { '-' } else { '+' };
                let file = value()?;
                let text = read(&file)
                    .map_err(|why| format!("failed to open {name} file {file}: {why}"))?;
                let lines = text.lines().filter(|it| !it.is_empty() && !it.starts_with(['#', ';']));
                it.rules.extend(lines.map(|line| pattern(sign, line)));
            }
            "chmod" => it.chmod.push(value()?),
            "chown" => it.chown = owner_and_group(&value()?),
            "link-dest" => it.link_dest.push(value()?),
            "max-size" => it.max_size = Some(size(name, &value()?)?),
            "min-size" => it.min_size = Some(size(name, &value()?)?),
            // These concern rsync's own connection and its own ways.
            "rsh" | "rsync-path" | "port" | "timeout" | "contimeout" | "compress-level" | "zl"
            | "compress-choice" | "zc" | "skip-compress" | "partial-dir" | "temp-dir" | "info"
            | "debug" | "out-format" | "checksum-choice" | "cc" | "block-size" | "sockopts"
            | "outbuf" | "stderr" => {
                value()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Options of one letter and their long names.
const LETTERS: &[(char, &str)] = &[
    ('a', "archive"),
    ('r', "recursive"),
    ('l', "links"),
    ('p', "perms"),
    ('t', "times"),
    ('o', "owner"),
    ('g', "group"),
    ('D', "D"),
    ('d', "dirs"),
    ('L', "copy-links"),
    ('k', "copy-dirlinks"),
    ('K', "keep-dirlinks"),
    ('O', "omit-dir-times"),
    ('J', "omit-link-times"),
    ('c', "checksum"),
    ('u', "update"),
    ('I', "ignore-times"),
    ('n', "dry-run"),
    ('m', "prune-empty-dirs"),
    ('F', "F"),
    ('W', "whole-file"),
    ('z', "compress"),
    ('v', "verbose"),
    ('q', "quiet"),
    ('i', "itemize-changes"),
    ('h', "human-readable"),
    ('P', "partial-progress"),
    ('s', "secluded-args"),
    ('8', "8-bit-output"),
    ('f', "filter"),
    ('e', "rsh"),
    ('B', "block-size"),
    ('T', "temp-dir"),
];

/// A pattern as a rule; one that begins with a sign is a rule already.
fn pattern(sign: char, text: &str) -> String {
    let is_rule = text.starts_with("- ") || text.starts_with("+ ") || text == "!";
    if is_rule { text.to_owned() } else { format!("{sign} {text}") }
}

fn owner_and_group(text: &str) -> (Option<String>, Option<String>) {
    let filled = |it: &str| (!it.is_empty()).then(|| it.to_owned());
    match text.split_once(':') {
        Some((user, group)) => (filled(user), filled(group)),
        None => (filled(text), None),
    }
}

/// A size such as `10`, `1.5m`, `2GB`, `1k-1`.
fn size(name: &str, text: &str) -> Result<u64, String> {
    let wrong = || format!("rsync_opts: --{name}={text} is no size");
    let (text_only, shift) = match (text.strip_suffix("+1"), text.strip_suffix("-1")) {
        (Some(rest), _) => (rest, 1.0),
        (_, Some(rest)) => (rest, -1.0),
        _ => (text, 0.0),
    };
    let lower = text_only.to_ascii_lowercase();
    let end = lower.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(end);
    let power = match unit.chars().next() {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return Err(wrong()),
    };
    let base: f64 = match unit.get(1..).unwrap_or_default() {
        "" | "ib" => 1024.0,
        "b" => 1000.0,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number * base.powi(power) + shift;
    if !bytes.is_finite() || !(0.0..=1e18).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Wanted, String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let mut wanted = Wanted::default();
        let read = |name: &str| match name {
            "list" => Ok("# no\n*.o\n+ keep\n".to_owned()),
            _ => Err("No such file or directory".to_owned()),
        };
        wanted.take(&words, &read).map(|()| wanted)
    }

    #[test]
    fn options_are_understood_in_their_order() {
        let wanted =
            of(&["-avz", "--no-perms", "--exclude", ".git", "--exclude-from=list", "-f+ x"]);
        let it = wanted.unwrap().options;
        assert!(it.recursive && it.owner && !it.perms);
        assert_eq!(it.rules, ["- .git", "- *.o", "+ keep", "+ x"]);
        let it = of(&["-FF", "--chown=:www", "--max-size=1.5k", "--delete-excluded"]).unwrap();
        assert_eq!(it.options.rules, [": /.rsync-filter", "- .rsync-filter"]);
        assert_eq!(it.options.chown, (None, Some("www".to_owned())));
        assert_eq!(it.options.max_size, Some(1536));
        assert!(it.options.delete && it.options.delete_excluded);
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (word, named) in [
            ("--bwlimit=10", "--bwlimit=10"),
            ("--backup", "--backup"),
            ("-aH", "-H"),
            ("--exclude .git", "--exclude .git"),
            ("--files-from=x", "--files-from"),
            ("--inplace", "--inplace"),
            ("--no-nonsense", "--no-nonsense"),
            ("--max-size=x", "--max-size=x"),
            ("--exclude", "--exclude"),
            ("--archive=1", "--archive"),
            ("--exclude-from=nowhere", "nowhere"),
            ("a", "'a'"),
        ] {
            let why = of(&[word]).expect_err(word);
            assert!(why.contains(named), "{word}: {why}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, expect) in
            [("10", 10), ("1k", 1024), ("1kb", 1000), ("2MiB", 2 << 20), ("1k-1", 1023)]
        {
            assert_eq!(size("max-size", text), Ok(expect), "{text}");
        }
        assert!(size("max-size", "1x").is_err() && size("max-size", "").is_err());
    }
}
