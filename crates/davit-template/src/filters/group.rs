//! What `groupby` gives: a pair that also has the attributes `grouper` and `list`.
//!
//! It prints, compares and iterates as the tuple it is.

use std::any::Any;
use std::sync::Arc;

use davit_value::{Object, Value, ValueError};

#[derive(Debug)]
struct Group {
    grouper: Value,
    list: Value,
}

/// One group.
pub(super) fn pair(grouper: Value, items: Vec<Value>) -> Value {
    Value::Object(Arc::new(Group { grouper, list: Value::list(items) }))
}

impl Group {
    fn tuple(&self) -> Value {
        Value::tuple(vec![self.grouper.clone(), self.list.clone()])
    }
}

impl Object for Group {
    fn type_name(&self) -> &'static str {
        "GroupTuple"
    }

    fn get_attr(&self, name: &str) -> Result<Option<Value>, ValueError> {
        Ok(match name {
            "grouper" => Some(self.grouper.clone()),
            "list" => Some(self.list.clone()),
            _ => None,
        })
    }

    fn get_item(&self, key: &Value) -> Result<Option<Value>, ValueError> {
        Ok(match key {
            Value::Int(0 | -2) => Some(self.grouper.clone()),
            Value::Int(1 | -1) => Some(self.list.clone()),
            Value::Str(name) => return self.get_attr(name),
            _ => None,
        })
    }

    fn items(&self) -> Result<Option<Vec<Value>>, ValueError> {
        Ok(Some(vec![self.grouper.clone(), self.list.clone()]))
    }

    fn repr(&self) -> String {
        self.tuple().repr()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
