//! The schema takes right playbooks and refuses wrong ones.

use crate::ground;

#[test]
fn every_keyword_and_module_is_in_it() {
    let schema = davit_lint::schema("playbook", &ground::shapes(), &ground::lookups()).expect("a schema");
    let defs = &schema["$defs"];
    for keyword in davit_playbook::keywords() {
        let there = ["play", "task", "block"].iter().any(|it| defs[*it]["properties"].get(keyword.name).is_some());
        assert!(there, "{}", keyword.name);
    }
    for shape in ground::shapes() {
        assert!(defs.get(&shape.name).is_some(), "{}", shape.name);
        assert!(defs["task"]["properties"].get(&shape.name).is_some(), "{}", shape.name);
    }
    assert!(davit_lint::schema("tasks", &[], &[]).is_some());
    assert!(davit_lint::schema("inventory", &[], &[]).is_some());
    assert!(davit_lint::schema("zork", &[], &[]).is_none());
}
