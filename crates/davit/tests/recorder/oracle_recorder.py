"""Writes what ansible-playbook does, one JSON line an event, for the comparison with davit.

A callback plugin: enabled by ANSIBLE_CALLBACKS_ENABLED, the file is named by ORACLE_RECORD.
It records as it is told and normalises nothing; the comparator does that for both sides.
"""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: oracle_recorder
type: notification
short_description: writes JSON lines for the comparison with davit
description: One line an event, to the file named by the variable ORACLE_RECORD.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "oracle_recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.out = open(os.environ["ORACLE_RECORD"], "a", encoding="utf-8")
        self.names = {}

    def say(self, **record):
        self.out.write(json.dumps(record, default=str, sort_keys=False) + "\n")
        self.out.flush()

    def started(self, task, handler):
        name = task.get_name().strip()
        self.names[task._uuid] = name
        self.say(e="task", name=name, handler=handler)

    def ended(self, kind, status, result, ignored=False, **more):
        reply = dict(result._result)
        task = result._task
        if status == "ok" and reply.get("changed"):
            status = "changed"
        record = dict(
            e=kind,
            host=result._host.get_name(),
            task=self.names.get(task._uuid, task.get_name().strip()),
            status=status,
            ignored=bool(ignored),
            reply=reply,
        )
        record.update(more)
        self.say(**record)

    def label(self, result):
        return str(self._get_item_label(result._result))

    def v2_playbook_on_play_start(self, play):
        self.say(e="play", name=play.get_name().strip())

    def v2_playbook_on_no_hosts_matched(self):
        self.say(e="no_hosts_matched")

    def v2_playbook_on_no_hosts_remaining(self):
        self.say(e="no_hosts_remaining")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started(task, False)

    def v2_playbook_on_handler_task_start(self, task):
        self.started(task, True)

    def v2_runner_on_ok(self, result):
        self.ended("host", "ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended("host", "failed", result, ignore_errors)

    def v2_runner_on_skipped(self, result):
        self.ended("host", "skipped", result)

    def v2_runner_on_unreachable(self, result):
        self.ended("host", "unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self.ended("item", "ok", result, item=self.label(result))

    def v2_runner_item_on_failed(self, result):
        self.ended("item", "failed", result, item=self.label(result))

    def v2_runner_item_on_skipped(self, result):
        self.ended("item", "skipped", result, item=self.label(result))

    def v2_runner_retry(self, result):
        reply = result._result
        left = reply.get("retries", 0) - reply.get("attempts", 0)
        self.ended("retry", "ok", result, left=left)

    def v2_playbook_on_include(self, included_file):
        item = self._get_item_label(included_file._vars)
        self.say(
            e="include",
            file=included_file._filename,
            hosts=[host.get_name() for host in included_file._hosts],
            item=None if item is None else str(item),
        )

    def v2_playbook_on_notify(self, handler, host):
        self.say(e="notify", host=host.get_name(), handler=handler.get_name())

    def v2_playbook_on_stats(self, stats):
        hosts = sorted(stats.processed.keys())
        self.say(
            e="stats",
            stats={host: stats.summarize(host) for host in hosts},
            custom=stats.custom,
        )
        self.out.flush()
