//! Listeners of load balancers, with their certificates and rules: what a task says of them, and how they are
//! brought to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use davit_aws::value::Value;
use davit_module::ModuleError;
use davit_module::control::Edit;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::actions::{self, plain_actions, plain_conditions};
use super::balancers::{Balancers, Kind};
use super::names;
use super::parts::text;

/// A listener, as a task has it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Listener {
    /// The port that it listens at.
    pub port: i64,
    /// How clients speak to it: `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The policy that says which ciphers and versions of TLS are taken.
    #[serde(default)]
    pub ssl_policy: Option<String>,
    /// The certificates; the first one is for clients that name no host.
    #[serde(default)]
    pub certificates: Option<Vec<Certificate>>,
    /// What is done with requests that no rule is for. A target group may be called by `TargetGroupName`.
    pub default_actions: Vec<Map<String, Json>>,
    /// The rules. Without it they stay as they are.
    #[serde(default)]
    pub rules: Option<Vec<Rule>>,
}

/// A certificate of a listener.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Certificate {
    /// Its ARN.
    pub certificate_arn: String,
}

/// A rule of a listener. Rules are known by their priorities.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Rule {
    /// Its place among the rules: the lowest one that fits counts.
    pub priority: i64,
    /// Which requests it is for.
    pub conditions: Vec<Map<String, Json>>,
    /// What is done with them. A target group may be called by `TargetGroupName`.
    pub actions: Vec<Map<String, Json>>,
}

/// Actions may have secrets.
impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Actions may have secrets.
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("priority", &self.priority).finish_non_exhaustive()
    }
}

/// What a load balancer's listeners are to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The listeners.
    pub listeners: &'a [Listener],
    /// Delete those at other ports.
    pub purge_listeners: bool,
    /// Delete rules of other priorities.
    pub purge_rules: bool,
}

/// Target groups: ARNs by name.
type Groups = BTreeMap<String, String>;

impl Wanted<'_> {
    /// Checks that no port and no priority is there twice.
    ///
    /// # Errors
    /// Where one is.
    pub fn check(&self) -> Result<(), ModuleError> {
        let mut ports = BTreeSet::new();
        for listener in self.listeners {
            if !ports.insert(listener.port) {
                let text = format!("two listeners have the port {}", listener.port);
                return Err(ModuleError::failed(text));
            }
            let mut priorities = BTreeSet::new();
            let rules = listener.rules.iter().flatten();
            if let Some(rule) = rules.into_iter().find(|it| !priorities.insert(it.priority)) {
                let (port, priority) = (listener.port, rule.priority);
                return Err(ModuleError::failed(format!(
                    "two rules of the listener at port {port} have the priority {priority}"
                )));
            }
        }
        Ok(())
    }
}

impl Listener {
    /// The listener as operations take it, but for whose it is.
    fn request(&self, groups: &Groups) -> Json {
        let mut request = json!({
            "Port": self.port,
            "Protocol": self.protocol,
            "DefaultActions": actions::request(&json!(self.default_actions), groups),
        });
        if let Some(policy) = &self.ssl_policy {
            request["SslPolicy"] = policy.as_str().into();
        }
        // Operations take the first one alone.
        if let Some(first) = self.certificates.iter().flatten().next() {
            request["Certificates"] = json!([{"CertificateArn": first.certificate_arn}]);
        }
        request
    }
}

impl Balancers<'_> {
    /// Brings the listeners of a load balancer to what is wanted. Without an ARN it is one that would be made.
    ///
    /// # Errors
    /// Where a target group is not there, or what the service says.
    pub async fn keep_listeners(
        &self,
        balancer: Option<&str>,
        wanted: Wanted<'_>,
    ) -> Result<(), ModuleError> {
        let groups = self.target_groups(wanted.listeners).await?;
        let now = match balancer {
            Some(arn) => {
                let params = json!({"LoadBalancerArn": arn});
                self.list("DescribeListeners", "Listeners", params).await?
            }
            None => Vec::new(),
        };
        let port = |it: &Value| it.get("Port").and_then(Value::as_int);
        for listener in now.iter().filter(|_| wanted.purge_listeners) {
            if wanted.listeners.iter().any(|it| Some(it.port) == port(listener)) {
                continue;
            }
            let arn = text(listener, "ListenerArn");
            let edit = Edit::new("delete the listener", arn).from(shown_listener(listener));
            self.change(edit, "DeleteListener", json!({"ListenerArn": arn})).await?;
        }
        for listener in wanted.listeners {
            let there = now.iter().find(|it| port(it) == Some(listener.port));
            let arn = match there {
                Some(there) => {
                    self.change_listener(there, listener, &groups).await?;
                    Some(text(there, "ListenerArn").to_owned())
                }
                None => self.create_listener(balancer, listener, &groups).await?,
            };
            self.keep_certificates(arn.as_deref(), listener).await?;
            if let Some(rules) = &listener.rules {
                self.keep_rules(arn.as_deref(), rules, wanted.purge_rules, &groups).await?;
            }
        }
        Ok(())
    }

    /// The listeners of a load balancer, `with_rules` or without, as results show them.
    ///
    /// # Errors
    /// What the service says.
    pub async fn shown_listeners(
        &self,
        balancer: &str,
        with_rules: bool,
    ) -> Result<Vec<Json>, ModuleError> {
        let params = json!({"LoadBalancerArn": balancer});
        let mut all = Vec::new();
        for listener in self.list("DescribeListeners", "Listeners", params).await? {
            let mut shown = shown_listener(&listener);
            if with_rules {
                let params = json!({"ListenerArn": text(&listener, "ListenerArn")});
                let rules = self.list("DescribeRules", "Rules", params).await?;
                shown["rules"] = rules.iter().map(shown_listener).collect();
            }
            all.push(shown);
        }
        Ok(all)
    }

    /// The target groups that a task calls by their names. What is secret in it is not shown from here on.
    async fn target_groups(&self, listeners: &[Listener]) -> Result<Groups, ModuleError> {
        let (mut named, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        for listener in listeners {
            let rules = listener.rules.iter().flatten().map(|it| json!(it.actions));
            let all: Vec<Json> = rules.chain([json!(listener.default_actions)]).collect();
            actions::collect(&json!(all), &mut named, &mut secrets);
        }
        secrets.iter().for_each(|it| self.control.secret(it));
        let mut groups = Groups::new();
        for name in named {
            let found = self.named(Kind::TargetGroup, &name).await?;
            let missing = || ModuleError::failed(format!("there is no target group called {name}"));
            let arn = text(&found.ok_or_else(missing)?, "TargetGroupArn").to_owned();
            groups.insert(name, arn);
        }
        Ok(groups)
    }

    async fn create_listener(
        &self,
        balancer: Option<&str>,
        listener: &Listener,
        groups: &Groups,
    ) -> Result<Option<String>, ModuleError> {
        let mut params = listener.request(groups);
        let path = format!("{} port {}", balancer.unwrap_or("load balancer"), listener.port);
        let edit = Edit::new("create the listener", path).to(plain_listener(&params, &params));
        params["LoadBalancerArn"] = balancer.into();
        let made = self.change(edit, "CreateListener", params).await?;
        let Some(made) = made else { return Ok(None) };
        let first = made.get("Listeners").and_then(|it| it.items().first());
        let arn = first.map(|it| text(it, "ListenerArn").to_owned());
        let missing = || ModuleError::failed("CreateListener gave no listener");
        arn.ok_or_else(missing).map(Some)
    }

    async fn change_listener(
        &self,
        there: &Value,
        listener: &Listener,
        groups: &Groups,
    ) -> Result<(), ModuleError> {
        let mut params = listener.request(groups);
        let (now, wanted) =
            (plain_listener(&there.to_json(), &params), plain_listener(&params, &params));
        if now == wanted {
            return Ok(());
        }
        let arn = text(there, "ListenerArn");
        let edit = Edit::new("change the listener", arn).from(now).to(wanted);
        params["ListenerArn"] = arn.into();
        self.change(edit, "ModifyListener", params).await.map(drop)
    }

    /// Brings all certificates but the first one to what is wanted.
    async fn keep_certificates(
        &self,
        arn: Option<&str>,
        listener: &Listener,
    ) -> Result<(), ModuleError> {
        let Some(certificates) = &listener.certificates else { return Ok(()) };
        let mut all = certificates.iter().map(|it| it.certificate_arn.as_str());
        let first = all.next();
        let wanted: BTreeSet<&str> = all.filter(|it| Some(*it) != first).collect();
        let found = match arn {
            Some(arn) => {
                let params = json!({"ListenerArn": arn});
                self.list("DescribeListenerCertificates", "Certificates", params).await?
            }
            None => Vec::new(),
        };
        let further = |it: &&Value| it.get("IsDefault").and_then(Value::as_bool) != Some(true);
        let now: BTreeSet<&str> =
            found.iter().filter(further).map(|it| text(it, "CertificateArn")).collect();
        let path = arn.map_or_else(|| format!("port {}", listener.port), str::to_owned);
        let params = |all: &[&str]| {
            let all: Vec<Json> = all.iter().map(|it| json!({"CertificateArn": it})).collect();
            json!({"ListenerArn": arn, "Certificates": all})
        };
        let missing: Vec<&str> = wanted.difference(&now).copied().collect();
        if !missing.is_empty() {
            let edit = Edit::new("add certificates", &path).to(&missing);
            self.change(edit, "AddListenerCertificates", params(&missing)).await?;
        }
        let is_strange = |it: &&str| !wanted.contains(it) && Some(*it) != first;
        let strange: Vec<&str> = now.iter().copied().filter(is_strange).collect();
        if !strange.is_empty() {
            let edit = Edit::new("remove certificates", &path).from(&strange);
            self.change(edit, "RemoveListenerCertificates", params(&strange)).await?;
        }
        Ok(())
    }

    async fn keep_rules(
        &self,
        listener: Option<&str>,
        wanted: &[Rule],
        purge: bool,
        groups: &Groups,
    ) -> Result<(), ModuleError> {
        let mut now: Vec<Json> = match listener {
            Some(arn) => {
                let rules =
                    self.list("DescribeRules", "Rules", json!({"ListenerArn": arn})).await?;
                rules.iter().map(Value::to_json).collect()
            }
            None => Vec::new(),
        };
        now.retain(|it| it["IsDefault"] != true);
        let priority = |it: &Json| {
            let told = &it["Priority"];
            told.as_str().map_or_else(|| told.to_string(), str::to_owned)
        };
        for rule in wanted {
            let conditions = actions::request(&json!(rule.conditions), groups);
            let actions = actions::request(&json!(rule.actions), groups);
            let mut params = json!({"Conditions": conditions, "Actions": actions});
            let after = plain_rule(&params);
            match now.iter().find(|it| priority(it) == rule.priority.to_string()) {
                Some(there) if plain_rule(there) == after => {}
                Some(there) => {
                    let arn = there["RuleArn"].as_str().unwrap_or_default();
                    let edit = Edit::new("change the rule", arn).from(plain_rule(there)).to(after);
                    params["RuleArn"] = arn.into();
                    self.change(edit, "ModifyRule", params).await?;
                }
                None => {
                    let path = format!("{} {}", listener.unwrap_or("listener"), rule.priority);
                    let edit = Edit::new("create the rule", path).to(after);
                    params["ListenerArn"] = listener.into();
                    params["Priority"] = rule.priority.into();
                    self.change(edit, "CreateRule", params).await?;
                }
            }
        }
        // Last, so that no request is without a rule on the way.
        for rule in now.iter().filter(|_| purge) {
            if wanted.iter().any(|it| it.priority.to_string() == priority(rule)) {
                continue;
            }
            let arn = rule["RuleArn"].as_str().unwrap_or_default();
            let edit = Edit::new("delete the rule", arn).from(plain_rule(rule));
            self.change(edit, "DeleteRule", json!({"RuleArn": arn})).await?;
        }
        Ok(())
    }
}

/// A listener so that equal ones are the same, as far as `asked` speaks of it.
fn plain_listener(listener: &Json, asked: &Json) -> Json {
    let mut plain = json!({"DefaultActions": plain_actions(&listener["DefaultActions"])});
    for name in ["Port", "Protocol", "SslPolicy"] {
        if asked.get(name).is_some() {
            plain[name] = listener[name].clone();
        }
    }
    if asked.get("Certificates").is_some() {
        plain["Certificate"] = listener["Certificates"][0]["CertificateArn"].clone();
    }
    plain
}

fn plain_rule(rule: &Json) -> Json {
    json!({
        "Conditions": plain_conditions(&rule["Conditions"]),
        "Actions": plain_actions(&rule["Actions"]),
    })
}

/// A listener or rule as results show it.
fn shown_listener(listener: &Value) -> Json {
    names::snake_all(listener.to_json(), &["AuthenticationRequestExtraParams"])
}
