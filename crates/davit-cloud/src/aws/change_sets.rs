//! Change sets of CloudFormation: what an update of a stack would do, without doing it.

use std::time::Duration;

use davit_module::ModuleError;
use serde_json::{Value as Json, json};

use super::client::failure;
use super::stacks::{Stacks, is_up_to_date, text};

/// How soon a change set that is being made is looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// A change set that is ready to be executed.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// Its ARN.
    pub id: String,
    /// What it would change.
    pub changes: Vec<Json>,
}

impl Stacks<'_> {
    /// Makes a change set by a request of `CreateChangeSet` and waits until it is ready; nothing
    /// where the stack is as it should be already.
    ///
    /// # Errors
    /// Where it cannot be made, with the reason that the service has.
    pub async fn change_set(&self, request: &Json) -> Result<Option<ChangeSet>, ModuleError> {
        let made = match self.attempt("CreateChangeSet", request).await {
            Ok(made) => made,
            Err(error) if is_up_to_date(&error.chain()) => return Ok(None),
            Err(error) => {
                return Err(failure(Some(("cloudformation", "CreateChangeSet")), &error));
            }
        };
        let id = text(&made, "Id");
        loop {
            let mut answer = self.call("DescribeChangeSet", &json!({"ChangeSetName": id})).await?;
            match text(&answer, "Status") {
                "CREATE_PENDING" | "CREATE_IN_PROGRESS" => tokio::time::sleep(PAUSE).await,
                "FAILED" => {
                    let reason = text(&answer, "StatusReason").to_owned();
                    self.delete_change_set(id).await?;
                    if is_up_to_date(&reason) {
                        return Ok(None);
                    }
                    return Err(ModuleError::failed(format!("the change set failed: {reason}")));
                }
                _ => {
                    let mut changes = match answer["Changes"].take() {
                        Json::Array(first) => first,
                        _ => Vec::new(),
                    };
                    if answer["NextToken"].is_string() {
                        let rest =
                            json!({"ChangeSetName": id, "NextToken": answer["NextToken"].take()});
                        let key = "Changes";
                        changes
                            .extend(self.pages("DescribeChangeSet", rest, key, usize::MAX).await?);
                    }
                    return Ok(Some(ChangeSet { id: id.to_owned(), changes }));
                }
            }
        }
    }

    /// What an update would change; the change set that tells is gone again afterwards.
    ///
    /// # Errors
    /// As for [`Self::change_set`].
    pub async fn preview(&self, request: &Json) -> Result<Option<Vec<Json>>, ModuleError> {
        // One that a preview left behind which was cut off.
        if let Some(left) = self.find_change_set(request).await? {
            self.delete_change_set(text(&left, "ChangeSetId")).await?;
        }
        let Some(set) = self.change_set(request).await? else { return Ok(None) };
        self.delete_change_set(&set.id).await?;
        Ok(Some(set.changes))
    }

    /// The change set that a request would make, as `ListChangeSets` has it.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn find_change_set(&self, request: &Json) -> Result<Option<Json>, ModuleError> {
        let params = json!({"StackName": request["StackName"]});
        let sets = self.pages("ListChangeSets", params, "Summaries", usize::MAX).await?;
        let name = text(request, "ChangeSetName");
        Ok(sets.into_iter().find(|it| text(it, "ChangeSetName") == name))
    }

    /// Deletes the change set with this ARN.
    ///
    /// # Errors
    /// As for `call`.
    pub async fn delete_change_set(&self, id: &str) -> Result<(), ModuleError> {
        self.call("DeleteChangeSet", &json!({"ChangeSetName": id})).await.map(drop)
    }
}
