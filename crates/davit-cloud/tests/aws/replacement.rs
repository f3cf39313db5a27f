//! `amazon.aws.autoscaling_group` replaces instances of a service that holds itself to the documentation: instances
//! keep the version that they were made from, nothing goes below the least or above the most that a group holds, and
//! who is terminated is still told of for a while.

use std::sync::{Arc, Mutex};

use davit_event::{End, Status};
use serde_json::{Value, json};

use crate::gcp::stub::{Asked, Reply, Stub};
use crate::play::Play;

/// The group, and what was done to it.
struct Group {
    size: [i64; 3],
    version: i64,
    /// Ids, and what they were made from.
    instances: Vec<(String, i64)>,
    /// On the way out.
    leaving: Vec<(String, i64)>,
    made: usize,
    /// New instances do not get into service.
    is_broken: bool,
    done: Vec<String>,
    /// The fewest that were in service at a time.
    fewest: usize,
}

impl Group {
    fn new(is_broken: bool) -> Arc<Mutex<Self>> {
        let instances = (0..3).map(|it| (format!("i-{it}"), 1)).collect();
        Arc::new(Mutex::new(Self {
            size: [1, 3, 3],
            version: 1,
            instances,
            leaving: Vec::new(),
            made: 3,
            is_broken,
            done: Vec::new(),
            fewest: 3,
        }))
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let operation = asked.field("Action").unwrap();
        let field = |name: &str| asked.field(name);
        let told = match operation.as_str() {
            "DescribeAutoScalingGroups" => Ok(self.told()),
            // The latest version of the template is 2.
            "DescribeLaunchTemplates" => {
                let text = "<DescribeLaunchTemplatesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                    <requestId>1</requestId><launchTemplates><item><launchTemplateId>lt-1</launchTemplateId>\
                    <launchTemplateName>web</launchTemplateName><defaultVersionNumber>1</defaultVersionNumber>\
                    <latestVersionNumber>2</latestVersionNumber></item></launchTemplates>\
                    </DescribeLaunchTemplatesResponse>";
                return Reply::Whole(200, vec![("content-type", "text/xml".into())], text.into());
            }
            "UpdateAutoScalingGroup" => {
                if let Some(version) = field("LaunchTemplate.Version") {
                    self.version = if version == "$Default" { 1 } else { version.parse().unwrap() };
                }
                let mut size = self.size;
                let names = ["MinSize", "MaxSize", "DesiredCapacity"];
                for (at, name) in names.into_iter().enumerate() {
                    size[at] = field(name).map_or(size[at], |it| it.parse().unwrap());
                }
                self.done.push(format!("update {size:?}"));
                self.resize(size)
            }
            "TerminateInstanceInAutoScalingGroup" => {
                let shrinks = field("ShouldDecrementDesiredCapacity").unwrap() == "true";
                self.remove(&field("InstanceId").unwrap(), "terminate", shrinks)
            }
            "DetachInstances" => {
                let shrinks = field("ShouldDecrementDesiredCapacity").unwrap() == "true";
                self.remove(&field("InstanceIds.member.1").unwrap(), "detach", shrinks)
            }
            other => Err(format!("{other} is not for now")),
        };
        let namespace = "xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"";
        let (status, text) = match told {
            Ok(text) => (
                200,
                format!(
                    "<{operation}Response {namespace}><{operation}Result>{text}</{operation}Result>\
                     <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
                ),
            ),
            Err(text) => (
                400,
                format!(
                    "<ErrorResponse {namespace}><Error><Type>Sender</Type><Code>ValidationError</Code>\
                     <Message>{text}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
                ),
            ),
        };
        Reply::Whole(status, vec![("content-type", "text/xml".into())], text.into())
    }

    fn resize(&mut self, size: [i64; 3]) -> Result<String, String> {
        let [least, most, desired] = size;
        if desired < least || desired > most {
            return Err(format!("{desired} is not between {least} and {most}"));
        }
        self.size = size;
        while self.instances.len() < usize::try_from(desired).unwrap() {
            self.instances.push((format!("i-{}", self.made), self.version));
            self.made += 1;
        }
        assert_eq!(self.instances.len(), usize::try_from(desired).unwrap(), "others would go");
        Ok(String::new())
    }

    fn remove(&mut self, id: &str, verb: &str, shrinks: bool) -> Result<String, String> {
        let at =
            self.instances.iter().position(|(it, _)| it == id).ok_or("Instance Id not found")?;
        self.done.push(format!("{verb} {id}{}", if shrinks { " and shrink" } else { "" }));
        let mut size = self.size;
        if shrinks {
            size[2] -= 1;
        }
        if size[2] < size[0] {
            return Err(format!("{} is the least", size[0]));
        }
        self.leaving.push(self.instances.remove(at));
        self.fewest = self.fewest.min(self.instances.len());
        self.resize(size)
    }

    fn told(&mut self) -> String {
        let instance = |(id, version): &(String, i64), state: &str| {
            format!(
                "<member><InstanceId>{id}</InstanceId><LifecycleState>{state}</LifecycleState>\
                 <HealthStatus>Healthy</HealthStatus><LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId>\
                 <Version>{version}</Version></LaunchTemplate></member>"
            )
        };
        let state =
            |it: &(String, i64)| if self.is_broken && it.1 == 2 { "Pending" } else { "InService" };
        let mut instances: String =
            self.instances.iter().map(|it| instance(it, state(it))).collect();
        // At first it is told of as if nothing were.
        for (id, version) in self.leaving.drain(..) {
            instances.push_str(&instance(&(id, version), "InService"));
        }
        let [least, most, desired] = self.size;
        format!(
            "<AutoScalingGroups><member><AutoScalingGroupName>web</AutoScalingGroupName><MinSize>{least}</MinSize>\
             <MaxSize>{most}</MaxSize><DesiredCapacity>{desired}</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>\
             <HealthCheckType>EC2</HealthCheckType><HealthCheckGracePeriod>300</HealthCheckGracePeriod>\
             <LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>web</LaunchTemplateName>\
             <Version>{}</Version></LaunchTemplate><Instances>{instances}</Instances></member></AutoScalingGroups>",
            self.version
        )
    }
}

/// Runs the task; what came of it, and what was done meanwhile.
fn task(group: &Arc<Mutex<Group>>, args: &Value, check: bool) -> (End, Vec<String>) {
    let kept = Arc::clone(group);
    let stub = Stub::new(move |asked| kept.lock().unwrap().answer(asked));
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", &stub.url),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let play = Play { check, environment, ..Play::new() };
    let mut all = json!({"name": "web", "launch_template": {"launch_template_name": "web"}});
    for (name, value) in args.as_object().unwrap() {
        all[name] = value.clone();
    }
    let playbook = json!([{
        "hosts": "localhost", "connection": "local", "gather_facts": false,
        "tasks": [{"amazon.aws.autoscaling_group": all}],
    }]);
    let end = play.run(&playbook.to_string()).pop().unwrap();
    let done = std::mem::take(&mut group.lock().unwrap().done);
    (end, done)
}

#[test]
fn old_instances_are_replaced_some_at_a_time_and_the_group_holds_its_size() {
    let group = Group::new(false);
    let args = json!({"replace_all_instances": true, "replace_batch_size": 2});
    let (end, done) = task(&group, &args, true);
    assert_eq!((end.status, done), (Status::Changed, Vec::new()), "{:?}", end.reply);
    let (end, done) = task(&group, &args, false);
    assert_eq!(end.status, Status::Changed, "{:?}", end.reply);
    assert_eq!(
        done,
        [
            "update [1, 3, 3]",
            "update [3, 5, 5]",
            "terminate i-0",
            "update [1, 5, 5]",
            "terminate i-1 and shrink",
            "terminate i-2 and shrink",
            "update [1, 3, 3]",
        ]
    );
    assert_eq!(end.reply["instances"], json!(["i-3", "i-4", "i-5"]));
    assert_eq!(group.lock().unwrap().fewest, 3);
    let (end, done) = task(&group, &args, false);
    assert_eq!((end.status, done), (Status::Ok, Vec::new()), "{:?}", end.reply);
}

#[test]
fn only_what_is_named_and_old_is_replaced() {
    let group = Group::new(false);
    let version = |version: &str, more: Value| {
        let mut args =
            json!({"launch_template": {"launch_template_name": "web", "version": version}});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    // The group and its instances are of version 1.
    let args = version("$Default", json!({"replace_instances": ["i-1", "i-7"]}));
    let (end, done) = task(&group, &args, false);
    assert_eq!((end.status, &done[..]), (Status::Changed, &["update [1, 3, 3]".to_owned()][..]));
    let args = version("1", json!({"replace_instances": ["i-1", "i-7"], "lt_check": false}));
    let (end, done) = task(&group, &args, false);
    assert_eq!(end.status, Status::Changed, "{:?}", end.reply);
    assert_eq!(
        done,
        ["update [2, 4, 4]", "update [1, 4, 4]", "terminate i-1 and shrink", "update [1, 3, 3]"]
    );
    let args = version("1", json!({"detach_instances": ["i-2", "i-1"]}));
    let (end, done) = task(&group, &args, false);
    assert_eq!((end.status, &done[..]), (Status::Changed, &["detach i-2".to_owned()][..]));
    let (end, done) = task(&group, &args, false);
    assert_eq!((end.status, done), (Status::Ok, Vec::new()), "{:?}", end.reply);
}

#[test]
fn old_instances_stay_where_new_ones_do_not_get_into_service() {
    let group = Group::new(true);
    let args = json!({"replace_all_instances": true, "wait_timeout": 0});
    let (end, done) = task(&group, &args, false);
    assert_eq!(end.status, Status::Failed);
    assert_eq!(done, ["update [1, 3, 3]", "update [2, 4, 4]"]);
    let message = end.reply["msg"].as_str().unwrap();
    assert_eq!(message, "3 of 4 instances of web are in service after 0 seconds");
    let told = "0 of 3 instances are replaced; web holds up to 1 more than it should";
    assert_eq!(end.reply["done"], told);
    assert_eq!(end.reply["replaced_instances"], json!([]));
}
