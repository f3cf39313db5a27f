//! The gate of control modules: each change is said before it is made, and made here.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Control;
use crate::ModuleError;

/// A change that a module is about to make.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// What is done, as an order: `create the bucket`.
    pub what: String,
    /// What it is done to: an ARN, a URL, a name.
    pub path: String,
    /// What is there; null = nothing. Shown by `--diff`, so secrets are left out.
    pub before: Value,
    /// What will be there; null = nothing.
    pub after: Value,
}

impl Edit {
    /// An order, and what it is for; nothing is said of before and after, as for a restart.
    pub fn new(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self { what: what.into(), path: path.into(), ..Self::default() }
    }

    /// With what is there now. What cannot be JSON is not shown.
    #[must_use]
    pub fn from(mut self, before: impl Serialize) -> Self {
        self.before = serde_json::to_value(before).unwrap_or_default();
        self
    }

    /// With what will be there. What cannot be JSON is not shown.
    #[must_use]
    pub fn to(mut self, after: impl Serialize) -> Self {
        self.after = serde_json::to_value(after).unwrap_or_default();
        self
    }

    /// As `--diff` shows it.
    fn difference(&self) -> Value {
        if self.before.is_null() && self.after.is_null() {
            return json!({ "prepared": format!("{}: {}\n", self.path, self.what) });
        }
        let side = |value: &Value| if value.is_null() { "".into() } else { value.clone() };
        json!({
            "before": side(&self.before),
            "after": side(&self.after),
            "before_header": self.path,
            "after_header": format!("{} ({})", self.path, self.what),
        })
    }
}

/// A change that was made through an API, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiChange {
    /// Tells it from changes of hosts.
    pub kind: ApiKind,
    /// What was changed: an ARN, a URL, a name.
    pub path: String,
    /// What was done; empty where it is not to be told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// It was stopped in the middle: whether it was done is not known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut_off: bool,
}

/// The one kind of [`ApiChange`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKind {
    /// Something behind an API was changed.
    #[default]
    Api,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_false(it: &bool) -> bool {
    !*it
}

impl Control {
    /// Makes a change: the only way to do so.
    ///
    /// In check mode `act` is not called and nothing comes back. Either way `changed` is set and
    /// `--diff` shows the edit; what was made goes to the journal at once. Where `act` fails,
    /// nothing was changed.
    ///
    /// # Errors
    /// That of `act`.
    pub async fn change<T, F>(&self, edit: Edit, act: F) -> Result<Option<T>, ModuleError>
    where
        F: AsyncFnOnce() -> Result<T, ModuleError>,
    {
        self.create(edit, act, |_| None).await
    }

    /// [`Self::change`] of something whose place is known once it is made: `place` reads it from
    /// what `act` gave.
    ///
    /// # Errors
    /// That of `act`.
    pub async fn create<T, F>(
        &self,
        edit: Edit,
        act: F,
        place: impl FnOnce(&T) -> Option<String>,
    ) -> Result<Option<T>, ModuleError>
    where
        F: AsyncFnOnce() -> Result<T, ModuleError>,
    {
        if self.is_check() {
            self.note(&edit);
            return Ok(None);
        }
        if let Some(begins) = &self.lent.begins {
            begins();
        }
        let mut underway = Underway { control: self, edit: Some(edit) };
        let made = act().await;
        let edit = underway.edit.take();
        let made = made?;
        if let Some(mut edit) = edit {
            edit.path = place(&made).unwrap_or(edit.path);
            self.note(&edit);
            self.journal(edit, false);
        }
        Ok(Some(made))
    }

    fn note(&self, edit: &Edit) {
        let difference = self.wants_diff().then(|| edit.difference());
        let mut seen = self.seen();
        seen.changed = true;
        seen.differences.extend(difference);
    }

    fn journal(&self, edit: Edit, cut_off: bool) {
        if let Some(journal) = &self.lent.journal {
            let what = if self.call.no_log { String::new() } else { edit.what };
            journal(ApiChange { kind: ApiKind::Api, path: edit.path, what, cut_off });
        }
    }
}

/// A change that is being made. One that is dropped on the way may have been made.
struct Underway<'a> {
    control: &'a Control,
    edit: Option<Edit>,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if let Some(edit) = self.edit.take() {
            self.control.journal(edit, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_without_sides_is_shown_in_words() {
        let edit = Edit::new("restart it", "db/1");
        assert_eq!(edit.difference(), json!({ "prepared": "db/1: restart it\n" }));
        let edit = edit.to(json!({"size": 2}));
        assert_eq!(
            edit.difference(),
            json!({
                "before": "", "after": {"size": 2},
                "before_header": "db/1", "after_header": "db/1 (restart it)",
            })
        );
    }

    #[test]
    fn the_journal_has_kind_and_path() {
        let mut change = ApiChange {
            kind: ApiKind::Api,
            path: "arn:aws:s3:::b".into(),
            what: String::new(),
            cut_off: false,
        };
        assert_eq!(json!(change), json!({"kind": "api", "path": "arn:aws:s3:::b"}));
        change.cut_off = true;
        assert_eq!(serde_json::from_value::<ApiChange>(json!(change)).unwrap(), change);
    }
}
