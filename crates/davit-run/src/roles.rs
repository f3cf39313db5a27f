//! Roles: finding them, loading them with what they depend on, their argument check.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_playbook as written;
use davit_template::Env;
use davit_value::{Key, Map, Origin, Str, Value};

use crate::compile::Compiler;
use crate::error::Error;
use crate::execute::line_to_work;
use crate::scope::TaskScope;
use crate::tree::{Ancestor, Node, Parent, Progress, Role, Task, implicit, set_keyword};
use crate::world::World;

/// A use of a role: which one, and with what.
pub(crate) struct RoleRequest {
    pub(crate) name: Value,
    pub(crate) from: written::RoleFrom,
    /// What the role's tasks inherit from.
    pub(crate) parent: Arc<Parent>,
    /// Parameters: the highest variables a role has.
    params: Arc<Map>,
    /// `vars:` of the use.
    vars: Arc<Map>,
    allow_duplicates: Option<bool>,
    /// Whether the whole play sees its variables, where that is said.
    public: Option<bool>,
    pub(crate) validate: bool,
    origin: Origin,
}

impl RoleRequest {
    /// From an entry of `roles:` or of `dependencies:`.
    pub(crate) fn of_use(used: &written::RoleUse, parent: &Arc<Parent>) -> Self {
        Self {
            name: used.name.clone(),
            from: written::RoleFrom::default(),
            parent: Arc::new(Parent {
                keywords: used.keywords.clone(),
                vars: Arc::new(used.vars.clone()),
                up: Some(Arc::clone(parent)),
                ..Parent::default()
            }),
            params: Arc::new(used.params.clone()),
            vars: Arc::new(used.vars.clone()),
            allow_duplicates: None,
            public: None,
            validate: true,
            origin: used.origin.clone(),
        }
    }

    /// From the arguments of `import_role` or `include_role`.
    pub(crate) fn of_args(args: &Map, parent: Arc<Parent>, origin: &Origin) -> Result<Self, Error> {
        let name = args
            .get("name")
            .or_else(|| args.get("role"))
            .cloned()
            .ok_or_else(|| Error::at("'name' is a required field for include_role.", origin))?;
        let text = |key: &str| args.get(key).filter(|it| !it.is_null()).map(Value::to_str);
        let flag = |key: &str| args.get(key).and_then(crate::keyword::to_flag);
        Ok(Self {
            name,
            from: written::RoleFrom {
                tasks: text("tasks_from"),
                vars: text("vars_from"),
                defaults: text("defaults_from"),
                handlers: text("handlers_from"),
            },
            parent,
            params: Arc::default(),
            vars: Arc::default(),
            allow_duplicates: Some(flag("allow_duplicates").unwrap_or(true)),
            public: flag("public"),
            validate: flag("rolespec_validate").unwrap_or(true),
            origin: origin.clone(),
        })
    }
}

/// More roles that depend on one another are roles that depend on themselves.
const LONGEST_CHAIN: usize = 50;

impl Compiler<'_> {
    /// The role that `request` asks for, with its dependencies.
    pub(crate) fn load_role(
        &mut self,
        request: &RoleRequest,
        ancestors: &[Ancestor],
        from_include: bool,
    ) -> Result<Arc<Role>, Error> {
        let name = self.role_name(request)?;
        if ancestors.len() >= LONGEST_CHAIN {
            return Err(Error::at(
                format!(
                    "A recursion loop was detected with the roles specified. Make sure child roles do not have dependencies on parent roles: {name}"
                ),
                &request.origin,
            ));
        }
        let key = format!(
            "{name}|{}|{}|{:?}|{}",
            Value::Map(Arc::clone(&request.params)).to_json(),
            Value::Map(Arc::clone(&request.vars)).to_json(),
            request.from,
            conditions(&request.parent),
        );
        let path = self.find_role(&name, request, ancestors)?;
        let short = role_title(&name, &path);
        let written = Arc::new(self.world.loader.role(&path, &short, &request.from)?);
        let progress = self.play.progress_of_role(key);
        let made = Making { name: short, written, progress, from_include };
        let role = self.make_role(made, request, ancestors)?;
        let by_default = !from_include && !self.world.settings.private_role_vars;
        if request.public.unwrap_or(by_default) {
            self.play.publish(&role);
        }
        Ok(role)
    }

    fn make_role(
        &mut self,
        made: Making,
        request: &RoleRequest,
        ancestors: &[Ancestor],
    ) -> Result<Arc<Role>, Error> {
        let Making { name, written, progress, from_include } = made;
        let me = Ancestor {
            name: name.clone(),
            path: written.path.clone(),
            vars: Arc::new(written.vars.clone()),
            defaults: Arc::new(written.defaults.clone()),
            params: Arc::clone(&request.params),
            by_dependency: false,
        };
        let mut chain = ancestors.to_vec();
        chain.push(Ancestor { by_dependency: true, ..me });
        let top = Arc::clone(&request.parent);
        let mut dependencies = Vec::new();
        for used in &written.meta.dependencies {
            let request = RoleRequest::of_use(used, &top);
            dependencies.push(self.load_role(&request, &chain, from_include)?);
        }
        let mut defaults = Map::new();
        let mut vars = Map::new();
        let mut params = Map::new();
        for dependency in &dependencies {
            defaults.extend(&dependency.defaults);
        }
        for ancestor in ancestors {
            defaults.extend(&ancestor.defaults);
            vars.extend(&ancestor.vars);
            params.extend(&ancestor.params);
        }
        for dependency in &dependencies {
            vars.extend(&dependency.vars);
        }
        defaults.extend(&written.defaults);
        vars.extend(&written.vars);
        params.extend(&request.params);
        let allow_duplicates = request
            .allow_duplicates
            .or_else(|| crate::keyword::to_flag(&written.meta.allow_duplicates))
            .unwrap_or(false);
        let entry_point = entry_point(request.from.tasks.as_deref());
        Ok(Arc::new(Role {
            path: written.path.clone(),
            name,
            written,
            defaults: Arc::new(defaults),
            vars: Arc::new(vars),
            params: Arc::new(params),
            parents: ancestors.to_vec(),
            dependencies,
            allow_duplicates,
            entry_point,
            progress,
        }))
    }

    fn role_name(&self, request: &RoleRequest) -> Result<String, Error> {
        if !request.name.is_live() {
            return Ok(request.name.to_str());
        }
        let scope = TaskScope::new(self.world, Some(self.play), self.host.as_ref(), None);
        let outside = scope.outside();
        Env::new(&self.world.engine, &scope, &outside)
            .resolve(&request.name)
            .map(|it| it.to_str())
            .map_err(|error| Error::template(&error, Some(&request.origin)))
    }

    fn find_role(
        &self,
        name: &str,
        request: &RoleRequest,
        ancestors: &[Ancestor],
    ) -> Result<PathBuf, Error> {
        let settings = &self.world.settings;
        let mut folders = vec![self.play.folder.join("roles")];
        folders.extend(settings.roles_path.iter().cloned());
        let inside = ancestors
            .last()
            .map(|it| it.path.clone())
            .or_else(|| request.parent.role().map(|role| role.path.clone()));
        if let Some(siblings) = inside.as_deref().and_then(Path::parent) {
            folders.push(siblings.to_path_buf());
        }
        folders.push(self.play.folder.clone());
        written::find_role(name, &folders, &settings.collections_path)
            .map_err(|error| error.or_at(Some(&request.origin)).into())
    }
}

/// What a role is made of before its dependencies are known.
struct Making {
    name: String,
    written: Arc<written::Role>,
    progress: Arc<Progress>,
    from_include: bool,
}

/// The name of an argument spec: `tasks_from` without an ending.
fn entry_point(tasks_from: Option<&str>) -> String {
    let name = tasks_from.unwrap_or("main");
    let stem = [".yml", ".yaml", ".json"].iter().find_map(|it| name.strip_suffix(it));
    stem.unwrap_or(name).to_owned()
}

/// `when` and `tags` of a use tell two uses of a role apart.
fn conditions(parent: &Arc<Parent>) -> String {
    ["when", "tags"]
        .iter()
        .filter_map(|key| parent.keywords.get(key))
        .map(|value| value.to_json().to_string())
        .collect()
}

/// The name that tasks of the role are shown with.
fn role_title(name: &str, path: &Path) -> String {
    if name.contains('/') {
        path.file_name().map_or_else(|| name.to_owned(), |it| it.to_string_lossy().into_owned())
    } else {
        name.to_owned()
    }
}

/// The task that checks a role's variables against its argument specs, where it has one for its
/// entry point.
pub(crate) fn argument_check(
    world: &World,
    role: &Arc<Role>,
    parent: &Arc<Parent>,
) -> Option<Node> {
    let entry = role.entry_point.as_str();
    let spec = role.written.meta.argument_specs.as_ref()?.get(entry)?.as_map()?.clone();
    let origin = Origin {
        file: role.path.join("meta/argument_specs.yml").to_string_lossy().as_ref().into(),
        line: 1,
        column: 1,
    };
    let mut name = format!("Validating arguments against arg spec '{entry}'");
    if let Some(about) = spec.get("short_description") {
        name = format!("{name} - {}", about.to_str());
    }
    let options = spec.get("options").cloned().unwrap_or_else(Value::map);
    let mut provided = Map::new();
    if let Some(options) = options.as_map() {
        for key in options.keys().filter_map(Key::as_str) {
            // Looked up when the task runs; an option that is not set is left out.
            let template = format!("{{{{ {key} | default(omit) }}}}");
            if is_name(key) {
                provided.insert(key, Value::Str(Str::trusted(template, Some(origin.clone()))));
            }
        }
    }
    let mut context = Map::new();
    context.insert("type", "role".into());
    context.insert("name", role.name.as_str().into());
    context.insert("argument_spec_name", entry.into());
    context.insert("path", role.path.to_string_lossy().as_ref().into());
    let mut args = Map::new();
    args.insert("argument_spec", options);
    args.insert("provided_arguments", provided.into());
    args.insert("validate_args_context", context.into());
    let line = world.tables.find("ansible.builtin.validate_argument_spec")?;
    let mut task = implicit("ansible.builtin.validate_argument_spec", origin.clone());
    task.name = name.as_str().into();
    task.args = args;
    set_keyword(&mut task.keywords, "tags", Value::list(vec!["always".into()]), &origin);
    Some(Node::Task(Arc::new(Task::new(Arc::new(task), line_to_work(line), line.name(), parent))))
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|it| it == '_' || it.is_alphanumeric())
        && !key.starts_with(|it: char| it.is_ascii_digit())
}

/// True where a task of a role that has run on the host already is to be left out.
pub(crate) fn is_done(task: &Task, host: &str) -> bool {
    task.role().is_some_and(|role| !role.allow_duplicates && role.progress.has_run(host))
}
