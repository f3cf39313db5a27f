//! What the inventory of the Systems Manager says of instances.

use std::collections::BTreeMap;

use davit_aws::value::Value as Said;
use davit_module::ModuleError;
use serde_json::{Value as Json, json};

use super::ask::{Region, listed};
use super::data::packed;
use crate::aws::parts::{items, text};

/// For how many instances the service takes a question.
const MOST: usize = 40;

/// What every instance tells that the Systems Manager looks after.
const KIND: &str = "AWS:InstanceInformation";

/// Adds to instances of a region, by their ids, what the Systems Manager has of them: `SsmInventory`.
///
/// # Errors
/// What the service says.
pub(super) async fn add(
    region: &Region,
    instances: &mut BTreeMap<String, Json>,
    strict: bool,
) -> Result<(), ModuleError> {
    let ids: Vec<String> = instances.keys().cloned().collect();
    for some in ids.chunks(MOST) {
        let filter = json!({"Key": format!("{KIND}.InstanceId"), "Values": some});
        let params = json!({"Filters": [filter]});
        let answer = listed(region, ("ssm", "GetInventory"), params, strict).await?;
        for entity in items(&answer, "Entities") {
            let content = entity.at(&["Data", KIND, "Content"]).map(Said::items);
            let content = content.and_then(<[Said]>::first);
            if let (Some(content), Some(it)) = (content, instances.get_mut(text(entity, "Id"))) {
                it["SsmInventory"] = packed(content);
            }
        }
    }
    Ok(())
}
