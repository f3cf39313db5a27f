//! The tags of something brought to what is wanted, through the gate: what is strange is removed, then the rest is
//! set. Each module says how its service takes tags. Knows nothing of which tags there are or should be.

use davit_module::ModuleError;
use davit_module::control::{Control, Edit};
use serde_json::{Value as Json, json};

use super::client::Aws;
use super::tags::{Shape, TagChange, Tags};

/// How a service sets and removes tags: the operations, and their parameters for tags and for names of tags.
#[derive(Clone, Copy, Debug)]
pub struct TagOperations {
    service: &'static str,
    set: &'static str,
    remove: &'static str,
    tags: &'static str,
    keys: &'static str,
    /// The shape of the list; without one it is a map.
    shape: Option<Shape>,
    busy: &'static [&'static str],
}

impl TagOperations {
    /// `TagResource` with a list of `Tags`, `UntagResource` with `TagKeys`.
    #[must_use]
    pub const fn usual(service: &'static str) -> Self {
        Self {
            service,
            set: "TagResource",
            remove: "UntagResource",
            tags: "Tags",
            keys: "TagKeys",
            shape: Some(Shape::USUAL),
            busy: &[],
        }
    }

    /// The same with operations of other names.
    #[must_use]
    pub const fn called(self, set: &'static str, remove: &'static str) -> Self {
        Self { set, remove, ..self }
    }

    /// The same with `tags` and `tagKeys`.
    #[must_use]
    pub const fn lower(self) -> Self {
        Self { tags: "tags", keys: "tagKeys", ..self }
    }

    /// The same with a list of another shape, or with a map.
    #[must_use]
    pub const fn shaped(self, shape: Option<Shape>) -> Self {
        Self { shape, ..self }
    }

    /// The same, and called again for a while where the service says one of these codes.
    #[must_use]
    pub const fn patient(self, busy: &'static [&'static str]) -> Self {
        Self { busy, ..self }
    }
}

/// Something whose tags a module keeps.
pub struct Tagged<'a> {
    /// The gate.
    pub control: &'a Control,
    /// What it is called with.
    pub aws: &'a Aws,
    /// How its service takes tags.
    pub operations: TagOperations,
    /// How it is called in what is told.
    pub path: &'a str,
    /// The parameters that say which it is.
    pub of: Json,
}

impl Tagged<'_> {
    /// Brings the tags from these to what is wanted; the tags afterwards.
    ///
    /// # Errors
    /// What the service says.
    pub async fn bring(&self, current: &Tags, change: &TagChange) -> Result<Tags, ModuleError> {
        let how = self.operations;
        let (removal, setting) = edits(self.path, current, change);
        if let Some(edit) = removal {
            self.step(edit, how.remove, (how.keys, json!(change.remove))).await?;
        }
        if let Some(edit) = setting {
            let list = how.shape.map(|it| it.list(&change.set).to_json());
            let tags = list.unwrap_or_else(|| json!(change.set));
            self.step(edit, how.set, (how.tags, tags)).await?;
        }
        Ok(change.applied(current))
    }

    async fn step(
        &self,
        edit: Edit,
        operation: &str,
        (name, value): (&str, Json),
    ) -> Result<(), ModuleError> {
        let mut params = self.of.clone();
        params[name] = value;
        let how = self.operations;
        let act = async || self.aws.insist(how.service, operation, params, how.busy).await;
        self.control.change(edit, act).await.map(drop)
    }
}

/// The edits that a change of tags comes to, where there is something to do: the removal, which comes first, as
/// something that has all the tags it can have takes no further ones; and the setting.
#[must_use]
pub fn edits(path: &str, current: &Tags, change: &TagChange) -> (Option<Edit>, Option<Edit>) {
    let removal = TagChange { set: Tags::new(), remove: change.remove.clone() };
    let between = removal.applied(current);
    let edit = |what: &str, from: &Tags, to: &Tags| Edit::new(what, path).from(from).to(to);
    let removed = (!removal.is_empty()).then(|| edit("remove tags", current, &between));
    let set = || edit("set tags", &between, &change.applied(current));
    (removed, (!change.set.is_empty()).then(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_strange_goes_before_the_rest_is_set() {
        let tags = |it: Json| serde_json::from_value::<Tags>(it).unwrap();
        let current = tags(json!({"a": "1", "b": "2", "old": "3"}));
        let wanted = tags(json!({"a": "1", "b": "x", "c": "4"}));
        let of = |purge| edits("arn", &current, &TagChange::between(&current, &wanted, purge));
        let (removal, setting) = of(true);
        let (removal, setting) = (removal.unwrap(), setting.unwrap());
        assert_eq!(removal.before, json!(current));
        assert_eq!(removal.after, json!({"a": "1", "b": "2"}));
        assert_eq!((setting.before, setting.after), (removal.after, json!(wanted)));
        let (removal, setting) = of(false);
        assert!(removal.is_none());
        assert_eq!(setting.unwrap().before, json!(current));
        let same = TagChange::between(&current, &current, true);
        assert_eq!(edits("arn", &current, &same), (None, None));
    }
}
