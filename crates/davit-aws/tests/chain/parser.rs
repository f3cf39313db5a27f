//! Configuration files: cases of our own for the rules of the AWS SDKs, botocore as the judge where
//! its rules are the same, and any text at all.

use std::fmt::Write as _;

use davit_aws::config::{FileKind, Profiles, Section};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::python::Python;

use super::Dice;

/// A configuration file, a credentials file, what is read.
type Case = (&'static str, &'static str, Json);

fn check(cases: &[Case]) {
    for (config, credentials, expected) in cases {
        let read = Profiles::from_text(config, credentials).map(|it| it.to_json());
        let profiles = read.map(|mut it| it["profiles"].take());
        assert_eq!(profiles.ok().as_ref(), Some(expected), "{config:?} {credentials:?}");
    }
}

#[test]
fn sections_are_read() {
    check(&[
        ("", "", json!({})),
        ("[profile a]", "", json!({"a": {}})),
        ("[profile a]\n[profile b]", "", json!({"a": {}, "b": {}})),
        ("[profile a-b:c/d_e%f.g@h+]\n[profile a!b]", "", json!({"a-b:c/d_e%f.g@h+": {}})),
        ("[profile \ta \t]\n[profile\tb]\n[  profile c  ]", "", json!({"a": {}, "b": {}, "c": {}})),
        ("[profile 'a b']\n[profile \"c d\"]", "['e f']", json!({"a b": {}, "c d": {}, "e f": {}})),
        ("[a]\nx = 1\n[profilea]\nx = 1", "[profile a]\nx = 1", json!({})),
        ("[profile a b]\nx = 1", "[c d]\nx = 1", json!({})),
        ("", "[  a  ]\nx = 1\n[sso-sessionb]", json!({"a": {"x": "1"}, "sso-sessionb": {}})),
        ("[sso-session a]\nx = 1\n[profile b]", "", json!({"b": {}})),
        (
            "[profile a] # why\n[profile b]; why\n[profile c]#why",
            "",
            json!({"a": {}, "b": {}, "c": {}}),
        ),
        ("\u{feff}[default]\r\nx = 1\r\n", "", json!({"default": {"x": "1"}})),
    ]);
}

#[test]
fn properties_are_read() {
    check(&[
        ("[default]\nx=1\nY = 2", "", json!({"default": {"x": "1", "y": "2"}})),
        ("[default]\nx \t= \t1 \t", "", json!({"default": {"x": "1"}})),
        ("[default]\nx =\ny = a=b=c", "", json!({"default": {"x": "", "y": "a=b=c"}})),
        ("[default]\na b = 1\nü = 1\nx = ü😂", "", json!({"default": {"x": "ü😂"}})),
        (
            "# a\n; b\n\n \t\n[default]\n\nx = 1 # a\ny = 2 ; b\n",
            "",
            json!({"default": {"x": "1", "y": "2"}}),
        ),
        ("[default]\nx = 1# a\ny = 2; b", "", json!({"default": {"x": "1# a", "y": "2; b"}})),
        ("[default]\nx = 1\nX = 2", "", json!({"default": {"x": "2"}})),
        ("  [default]\n  x = 1\n    2\n  y = 3", "", json!({"default": {"x": "1\n2", "y": "3"}})),
    ]);
}

#[test]
fn lines_go_on() {
    check(&[
        ("[default]\nx = 1\n -2\n\t -3 \t", "", json!({"default": {"x": "1\n-2\n-3"}})),
        ("[default]\nx = 1\n -2 # a ; b", "", json!({"default": {"x": "1\n-2 # a ; b"}})),
        ("[default]\nx = 1\n # a\n\n y", "", json!({"default": {"x": "1\ny"}})),
        (
            "[default]\ns3 =\n a = 1\n \n b c =\n # d",
            "",
            json!({"default": {"s3": "\na = 1\nb c ="}}),
        ),
    ]);
}

#[test]
fn sections_of_one_name_are_one() {
    check(&[
        ("[profile a]\nx = 1\n[profile a]\ny = 2", "", json!({"a": {"x": "1", "y": "2"}})),
        ("[profile a]\nx = 1\n[profile  a]\nX = 2", "", json!({"a": {"x": "2"}})),
        (
            "[profile a]\nx = 1\ny = 1",
            "[a]\nx = 2\nz = 2",
            json!({"a": {"y": "1", "x": "2", "z": "2"}}),
        ),
        ("[profile default]\nx = 1\n[default]\ny = 2", "", json!({"default": {"x": "1"}})),
        (
            "[default]\ny = 2\n[profile default]\nx = 1",
            "[default]\nz = 3",
            json!({"default": {"x": "1", "z": "3"}}),
        ),
        (
            "[default]\nx = 1\n[profile a b]\nx = 2\n[profile c]\nx = 3",
            "",
            json!({"default": {"x": "1"}, "c": {"x": "3"}}),
        ),
    ]);
}

#[test]
fn lines_that_do_not_fit_are_told() {
    for (config, expected) in [
        (
            "[profile a",
            "1: Profile definition must end with ']': close the bracket, as in [profile dev]",
        ),
        ("x = 1", "1: Expected a profile definition: a line such as [default] must come first"),
        ("\n -2", "2: Expected a profile definition: a line such as [default] must come first"),
        (
            "[default]\nx : 1",
            "2: Expected an '=' sign defining a property: write it as NAME = VALUE",
        ),
        ("[default]\n= 1", "2: Property did not have a name: write one in front of the '='"),
        (
            "[default]\nx = 1\n[default]\n -2",
            "4: Expected a property definition, found continuation: write it as NAME = VALUE, not indented",
        ),
        (
            "[default]\ns3 =\n\n a",
            "4: Expected an '=' sign defining a sub-property: indented lines below `name =` are written as NAME = VALUE",
        ),
        (
            "[default]\ns3 =\n = 1",
            "3: Sub-property did not have a name: write one in front of the '='",
        ),
    ] {
        let error = Profiles::from_text(config, "").unwrap_err().to_string();
        assert_eq!(error, format!("~/.aws/config:{expected}"), "{config:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (config, none) = (folder.path().join("config"), folder.path().join("none/none"));
    std::fs::write(&config, b"[default]\nx = \xff").unwrap();
    let error = Profiles::load(&config, &none).unwrap_err().to_string();
    assert_eq!(error, format!("{}:2: not UTF-8: save the file as UTF-8", config.display()));
    let profiles = Profiles::load(folder.path(), &none).unwrap();
    assert!(!profiles.found(FileKind::Config) && !profiles.found(FileKind::Credentials));
}

/// A file that both rules read alike.
fn file(dice: &Dice) -> String {
    let mut text = String::new();
    for number in 0..1 + dice.below(5) {
        let name = dice.pick(&["a", "b-c", "d.e", "f_g"]);
        match dice.below(5) {
            0 => writeln!(text, "[sso-session {name}{number}]"),
            1 => writeln!(text, "[services {name}{number}]"),
            2 => writeln!(text, "[profile  \"{name} {number}\"]"),
            3 if !text.contains("[default]") => writeln!(text, "[default]"),
            _ => writeln!(text, "[profile {name}{number}]"),
        }
        .unwrap();
        for number in 0..dice.below(5) {
            let key = dice.pick(&["Region", "x-y", "s3", "a.b"]);
            let equals = dice.pick(&["=", " = ", "\t=  "]);
            let value = dice.pick(&["1", "a=b", "\"q\"", "ü", "%(x)s", "c#d", "e f"]);
            match dice.below(4) {
                0 => writeln!(
                    text,
                    "{key}{number} =\n  a{equals}{value}\n\n   b = \n  # no\n  c = {value}"
                ),
                1 => writeln!(text, "{key}{number}{equals}{value}\n  {value}"),
                _ => writeln!(text, "{key}{number}{equals}{value}"),
            }
            .unwrap();
            text.push_str(dice.pick(&["", "\n", "# a = b\n", ";\n", "\n\n"]));
        }
    }
    text
}

/// A section as botocore gives it: blocks are maps.
fn nested(
    section: impl Iterator<Item = (String, String)>,
    of: &dyn Fn(&str, &str) -> Option<String>,
) -> Json {
    let values = section.map(|(key, value)| {
        let Some(block) = value.strip_prefix('\n') else { return (key, Json::from(value)) };
        let names = block.split('\n').filter_map(|it| it.split_once('='));
        let names = names.map(|(name, _)| name.trim());
        let block = names.map(|name| (name.to_owned(), of(&key, name).into())).collect();
        (key, Json::Object(block))
    });
    Json::Object(values.collect())
}

#[test]
fn files_are_read_as_botocore_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let mut botocore = Python::start("chain.py");
    for seed in 0..300 {
        let text = file(&Dice::new(seed));
        std::fs::write(&path, &text).unwrap();
        let expected = botocore.ask(&json!({"ask": "parse", "path": path}));
        assert!(expected.get("error").is_none(), "{expected} {text}");
        let profiles = Profiles::load(&path, &folder.path().join("none")).unwrap();
        let own = |it: (&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let section = |it: &Section| {
            nested(it.iter().map(own), &|key, name| it.nested(key, name).map(str::to_owned))
        };
        for (name, map) in expected["profiles"].as_object().unwrap() {
            let profile = profiles.get(name).unwrap_or_else(|| panic!("{name}: {text}"));
            assert_eq!(&section(profile.section(FileKind::Config)), map, "{text}");
        }
        assert_eq!(profiles.names().count(), expected["profiles"].as_object().unwrap().len());
        for (name, map) in expected["sso_sessions"].as_object().unwrap() {
            assert_eq!(&section(profiles.sso_session(name).unwrap()), map, "{text}");
        }
        for (name, map) in expected["services"].as_object().unwrap() {
            assert_eq!(&section(profiles.services(name).unwrap()), map, "{text}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(config in "\\PC*", credentials in "[\\[\\]= \t\r\n#;ab'\"]*") {
        for (config, credentials) in [(&config, &credentials), (&credentials, &config)] {
            if let Ok(profiles) = Profiles::from_text(config, credentials) {
                for name in profiles.names() {
                    let profile = profiles.get(name).unwrap();
                    for (key, _) in profile.iter() {
                        prop_assert!(profile.get(key).is_some());
                        let _ = profile.nested(key, "a");
                    }
                }
                let _ = davit_aws::credentials::plan(&profiles, "a");
            }
        }
    }
}
