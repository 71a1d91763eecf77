/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json's process object, from the file and on its own (exec --process). */
#include "tests/unit/runtime/spec_cases.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/resource.h>

#define SCHEDULER(x) PROCESS("'scheduler':{" x "}")
#define BIT(cap)     (UINT64_C(1) << (cap))

static void test_bad_args_env_cwd(void **state)
{
	static const struct bad_case cases[] = {
		{TOP("'process':@{'cwd':'/'}"), "process: required property 'args' is missing"},
		{TOP("'process':{'cwd':'/','args':@[]}"),
		 "process.args: must have at least one entry"},
		{TOP("'process':{'cwd':'/','args':@'sh'}"),
		 "process.args: expected an array, found a string"},
		{TOP("'process':{'cwd':'/','args':['sh',@1]}"),
		 "process.args[1]: expected a string, found 1"},
		{TOP("'process':{'cwd':'/','args':[@'']}"), "process.args[0]: must not be empty"},
		{TOP("'process':@{'args':['sh']}"), "process: required property 'cwd' is missing"},
		{TOP("'process':@{'args':['sh'],'cwd':''}"),
		 "process: required property 'cwd' is missing"},
		{TOP("'process':{'args':['sh'],'cwd':@'tmp'}"),
		 "process.cwd: 'tmp' is not an absolute path"},
		{PROCESS("'env':@{}"), "process.env: expected an array, found an object"},
		{PROCESS("'env':['A=1',@'B']"), "process.env[1]: not of the form NAME=value"},
		{PROCESS("'env':[@'=1']"), "process.env[0]: not of the form NAME=value"},
		{PROCESS("'env':[@'']"), "process.env[0]: not of the form NAME=value"},
		{PROCESS("'env':[@null]"), "process.env[0]: expected a string, found null"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_user(void **state)
{
	static const struct bad_case cases[] = {
		{PROCESS("'user':@[]"), "process.user: expected an object, found an array"},
		{PROCESS("'user':{'uid':@-1}"),
		 "process.user.uid: expected an integer from 0 to 4294967294, found -1"},
		{PROCESS("'user':{'uid':@4294967295}"),
		 "process.user.uid: expected an integer from 0 to 4294967294, found 4294967295"},
		{PROCESS("'user':{'uid':@'root'}"),
		 "process.user.uid: expected an integer from 0 to 4294967294, found a string"},
		{PROCESS("'user':{'gid':@1.0}"),
		 "process.user.gid: expected an integer from 0 to 4294967294, found 1.0"},
		{PROCESS("'user':{'gid':@18446744073709551616}"),
		 "process.user.gid: expected an integer from 0 to 4294967294, found "
		 "18446744073709551616"},
		{PROCESS("'user':{'umask':@512}"),
		 "process.user.umask: expected an integer from 0 to 511, found 512"},
		{PROCESS("'user':{'additionalGids':[1,@4294967295]}"),
		 "process.user.additionalGids[1]: expected an integer from 0 to 4294967294, "
		 "found 4294967295"},
		{PROCESS("'user':{'additionalGids':@1}"),
		 "process.user.additionalGids: expected an array, found 1"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_terminal_and_security(void **state)
{
	static const struct bad_case cases[] = {
		{PROCESS("'terminal':@'yes'"),
		 "process.terminal: expected true or false, found a string"},
		{PROCESS("'terminal':true,'consoleSize':@[]"),
		 "process.consoleSize: expected an object, found an array"},
		{PROCESS("'terminal':true,'consoleSize':@{'width':80}"),
		 "process.consoleSize: required property 'height' is missing"},
		{PROCESS("'terminal':true,'consoleSize':@{'height':25}"),
		 "process.consoleSize: required property 'width' is missing"},
		{PROCESS("'terminal':true,'consoleSize':{'height':25,'width':@65536}"),
		 "process.consoleSize.width: expected an integer from 0 to 65535, found 65536"},
		{PROCESS("'terminal':true,'consoleSize':{'height':@-1,'width':1}"),
		 "process.consoleSize.height: expected an integer from 0 to 65535, found -1"},
		{PROCESS("'noNewPrivileges':@1"),
		 "process.noNewPrivileges: expected true or false, found 1"},
		{PROCESS("'apparmorProfile':@{}"),
		 "process.apparmorProfile: expected a string, found an object"},
		{PROCESS("'selinuxLabel':@false"),
		 "process.selinuxLabel: expected a string, found a boolean"},
		{PROCESS("'oomScoreAdj':@1001"),
		 "process.oomScoreAdj: expected an integer from -1000 to 1000, found 1001"},
		{PROCESS("'oomScoreAdj':@-1001"),
		 "process.oomScoreAdj: expected an integer from -1000 to 1000, found -1001"},
		{PROCESS("'capabilities':@[]"),
		 "process.capabilities: expected an object, found an array"},
		{PROCESS("'capabilities':{'bounding':@'CAP_KILL'}"),
		 "process.capabilities.bounding: expected an array, found a string"},
		{PROCESS("'capabilities':{'ambient':[@7]}"),
		 "process.capabilities.ambient[0]: expected a string, found 7"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_rlimits(void **state)
{
	static const struct bad_case cases[] = {
		{PROCESS("'rlimits':@{}"), "process.rlimits: expected an array, found an object"},
		{PROCESS("'rlimits':[@'x']"), "process.rlimits[0]: expected an object"},
		{PROCESS("'rlimits':[@{}]"),
		 "process.rlimits[0]: required property 'type' is missing"},
		{PROCESS("'rlimits':[{'type':@'RLIMIT_FOO','soft':1,'hard':1}]"),
		 "process.rlimits[0].type: unknown resource limit 'RLIMIT_FOO'"},
		{PROCESS("'rlimits':[@{'type':'RLIMIT_CORE','hard':1}]"),
		 "process.rlimits[0]: required property 'soft' is missing"},
		{PROCESS("'rlimits':[@{'type':'RLIMIT_CORE','soft':1}]"),
		 "process.rlimits[0]: required property 'hard' is missing"},
		{PROCESS("'rlimits':[@{'type':'RLIMIT_CORE','soft':2,'hard':1}]"),
		 "process.rlimits[0]: the soft limit of RLIMIT_CORE is above its hard limit"},
		{PROCESS("'rlimits':[{'type':'RLIMIT_CORE','soft':@-1,'hard':1}]"),
		 "process.rlimits[0].soft: expected an integer from 0 to 18446744073709551615, "
		 "found -1"},
		{PROCESS("'rlimits':[{'type':'RLIMIT_CORE','soft':1,'hard':1},"
			 "{'type':'RLIMIT_CPU','soft':1,'hard':1},"
			 "@{'type':'RLIMIT_CORE','soft':1,'hard':1}]"),
		 "process.rlimits[2]: a second limit for RLIMIT_CORE"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_scheduling(void **state)
{
	static const struct bad_case cases[] = {
		{PROCESS("'scheduler':@'x'"),
		 "process.scheduler: expected an object, found a string"},
		{PROCESS("'scheduler':@{}"),
		 "process.scheduler: required property 'policy' is missing"},
		{SCHEDULER("'policy':@'SCHED_FAST'"),
		 "process.scheduler.policy: unknown scheduling policy 'SCHED_FAST'"},
		{SCHEDULER("'policy':'SCHED_OTHER','nice':@20"),
		 "process.scheduler.nice: expected an integer from -20 to 19, found 20"},
		{SCHEDULER("'policy':'SCHED_FIFO','priority':1,'nice':@1"),
		 "process.scheduler.nice: only SCHED_OTHER and SCHED_BATCH have a nice value"},
		{PROCESS("'scheduler':@{'policy':'SCHED_RR'}"),
		 "process.scheduler: a real-time policy needs a priority from 1 to 99"},
		{SCHEDULER("'policy':'SCHED_FIFO','priority':@100"),
		 "process.scheduler.priority: expected an integer from 0 to 99, found 100"},
		{SCHEDULER("'policy':'SCHED_BATCH','priority':@1"),
		 "process.scheduler.priority: only SCHED_FIFO and SCHED_RR have a priority"},
		{SCHEDULER("'policy':'SCHED_OTHER','flags':[@'FAST']"),
		 "process.scheduler.flags[0]: unknown scheduling flag 'FAST'"},
		{SCHEDULER("'policy':'SCHED_OTHER','flags':@1"),
		 "process.scheduler.flags: expected an array, found 1"},
		{PROCESS("'scheduler':@{'policy':'SCHED_OTHER','runtime':1}"),
		 "process.scheduler: only SCHED_DEADLINE has a runtime, deadline and period"},
		{PROCESS("'scheduler':@{'policy':'SCHED_DEADLINE','runtime':1023,'deadline':"
			 "4096}"),
		 "process.scheduler: SCHED_DEADLINE needs a runtime of at least 1024"},
		{PROCESS("'scheduler':@{'policy':'SCHED_DEADLINE','runtime':4096,'deadline':"
			 "2048}"),
		 "process.scheduler: the deadline is shorter than the runtime"},
		{PROCESS("'scheduler':@{'policy':'SCHED_DEADLINE','runtime':2048,'deadline':4096,"
			 "'period':4095}"),
		 "process.scheduler: the period is shorter than the deadline"},
		{SCHEDULER("'policy':'SCHED_DEADLINE','runtime':@9223372036854775808"),
		 "process.scheduler.runtime: expected an integer from 0 to 9223372036854775807, "
		 "found "
		 "9223372036854775808"},
		{PROCESS("'ioPriority':@{}"),
		 "process.ioPriority: required property 'class' is missing"},
		{PROCESS("'ioPriority':{'class':@'IOPRIO_CLASS_MAX'}"),
		 "process.ioPriority.class: unknown I/O class 'IOPRIO_CLASS_MAX'"},
		{PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':@8}"),
		 "process.ioPriority.priority: expected an integer from 0 to 7, found 8"},
		{PROCESS("'execCPUAffinity':@'0'"),
		 "process.execCPUAffinity: expected an object, found a string"},
		{PROCESS("'execCPUAffinity':{'initial':@'a'}"),
		 "process.execCPUAffinity.initial: 'a' is no list such as '0-3,7'"},
		{PROCESS("'execCPUAffinity':{'final':@'0-'}"),
		 "process.execCPUAffinity.final: '0-' is no list such as '0-3,7'"},
		{PROCESS("'execCPUAffinity':{'final':@'3-1'}"),
		 "process.execCPUAffinity.final: '3-1' is no list such as '0-3,7'"},
		{PROCESS("'execCPUAffinity':{'final':@'8192'}"),
		 "process.execCPUAffinity.final: '8192' goes beyond 8191"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		PROCESS("'commandLine':7,'user':{'username':[]}"),
		PROCESS("'user':{'uid':4294967294,'gid':4294967294,'umask':511}"),
		/* Without a terminal the size does not matter at all. */
		PROCESS("'consoleSize':{'height':-1}"),
		PROCESS("'terminal':false,'consoleSize':7"),
		PROCESS("'env':null,'rlimits':null,'capabilities':null,'scheduler':null,'user':"
			"null"),
		PROCESS("'capabilities':{'bounding':null,'effective':['CAP_FROM_THE_FUTURE','']}"),
		PROCESS("'rlimits':[{'type':'RLIMIT_AS','soft':0,'hard':18446744073709551615}]"),
		PROCESS("'execCPUAffinity':{'initial':'','final':''}"),
		PROCESS("'execCPUAffinity':{'initial':'0-3, 7','final':'8191'}"),
		PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_IDLE'}"),
		SCHEDULER("'policy':'SCHED_IDLE'"),
		SCHEDULER("'policy':'SCHED_ISO'"),
		SCHEDULER("'policy':'SCHED_DEADLINE','runtime':1024,'deadline':1024,'period':1024"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

static void test_values(void **state)
{
	SPEC *spec = spec_good(PROCESS(
		"'terminal':true,'consoleSize':{'height':25,'width':65535},'noNewPrivileges':true,"
		"'user':{'uid':1,'gid':2,'umask':63,'additionalGids':[5,6]},'oomScoreAdj':-7,"
		"'apparmorProfile':'p','selinuxLabel':'l','execCPUAffinity':{'initial':'0, "
		"2','final':'1'},"
		"'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':4},"
		"'rlimits':[{'type':'RLIMIT_NOFILE','soft':1,'hard':18446744073709551615}]"));
	const struct ns_process *p = &spec->process;

	(void)state;
	assert_true(spec->has_process && spec->rootfs.terminal && p->terminal && p->no_new_privs);
	assert_string_equal(p->args[0], "sh");
	assert_null(p->args[1]);
	assert_string_equal(p->cwd, "/");
	assert_true(p->has_console_size);
	assert_int_equal(p->console_height, 25);
	assert_int_equal(p->console_width, 65535);
	assert_int_equal(p->uid, 1);
	assert_int_equal(p->gid, 2);
	assert_int_equal(p->umask, 077);
	assert_int_equal(p->n_groups, 2);
	assert_int_equal(p->groups[1], 6);
	assert_true(p->has_oom_score_adj);
	assert_int_equal(p->oom_score_adj, -7);
	assert_string_equal(p->apparmor_profile, "p");
	assert_string_equal(p->selinux_label, "l");
	assert_string_equal(p->affinity_initial, "0,2");
	assert_string_equal(p->affinity_final, "1");
	assert_int_equal(p->ioprio->klass, 2);
	assert_int_equal(p->ioprio->priority, 4);
	assert_int_equal(p->n_rlimits, 1);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_true(p->rlimits[0].soft == 1 && p->rlimits[0].hard == UINT64_MAX);
}

static void test_defaults(void **state)
{
	SPEC *spec = spec_good(PROCESS("'apparmorProfile':'','selinuxLabel':''"));
	const struct ns_process *p = &spec->process;

	(void)state;
	assert_int_equal(p->umask, 022);
	assert_true(!p->terminal && !p->no_new_privs && !p->has_caps && !p->has_oom_score_adj);
	assert_true(!p->has_console_size && !p->has_personality && !spec->rootfs.terminal);
	assert_non_null(p->env);
	assert_null(p->env[0]);
	assert_true(!p->uid && !p->gid && !p->n_groups && !p->n_rlimits);
	assert_true(!p->apparmor_profile && !p->selinux_label && !p->scheduler && !p->ioprio);
	assert_true(!p->mempolicy && !p->affinity_initial && !p->affinity_final);
}

static void test_env_keeps_the_last_of_a_name(void **state)
{
	SPEC *spec =
		spec_good(PROCESS("'env':['A=1','AB=2','B=','A=3','\xff=\xfe','A=4','B=5=6']"));
	const char *const *env = spec->process.env;

	(void)state;
	assert_string_equal(env[0], "AB=2");
	assert_string_equal(env[1], "\xff=\xfe");
	assert_string_equal(env[2], "A=4");
	assert_string_equal(env[3], "B=5=6");
	assert_null(env[4]);
}

static void test_capabilities(void **state)
{
	SPEC *spec = spec_good(
		PROCESS("'capabilities':{'bounding':['CAP_KILL','CAP_CHOWN','CAP_NONE_SUCH'],"
			"'permitted':['CAP_KILL','CAP_CHOWN'],'inheritable':['CAP_KILL'],"
			"'effective':['CAP_KILL','CAP_BPF'],'ambient':['CAP_KILL','CAP_CHOWN']}"));
	const struct ns_caps *c = &spec->process.caps;

	(void)state;
	assert_true(spec->process.has_caps);
	assert_true(c->bounding == (BIT(CAP_KILL) | BIT(CAP_CHOWN)));
	assert_true(c->permitted == (BIT(CAP_KILL) | BIT(CAP_CHOWN)));
	assert_true(c->inheritable == BIT(CAP_KILL));
	assert_true(c->effective == BIT(CAP_KILL)); /* CAP_BPF is not permitted */
	assert_true(c->ambient == BIT(CAP_KILL));   /* CAP_CHOWN is not inheritable */
}

static void test_scheduler_values(void **state)
{
	SPEC *spec =
		spec_good(SCHEDULER("'policy':'SCHED_DEADLINE','runtime':10000,'deadline':20000,"
				    "'period':30000,'flags':['SCHED_FLAG_RESET_ON_FORK',"
				    "'SCHED_FLAG_DL_OVERRUN']"));
	SPEC *other = spec_good(SCHEDULER("'policy':'SCHED_BATCH','nice':-5"));
	const struct ns_scheduler *s = spec->process.scheduler;

	(void)state;
	assert_int_equal(s->policy, 6);
	assert_true(s->runtime_ns == 10000 && s->deadline_ns == 20000 && s->period_ns == 30000);
	assert_int_equal(s->flags, 1 | 4);
	assert_int_equal(other->process.scheduler->policy, SCHED_BATCH);
	assert_int_equal(other->process.scheduler->nice, -5);
}

static int parse_process(const char *quoted, struct ns_process *p, struct arena *a,
			 struct json **doc, struct err *err)
{
	FREE char *text = spec_case_text(quoted, NULL, NULL);

	assert_int_equal(json_parse("process.json", text, strlen(text), doc, err), 0);
	return spec_parse_process(json_root(*doc), a, p, err);
}

static void test_process_file(void **state)
{
	struct arena a = ARENA_INIT;
	struct ns_process p = {0};
	struct err err = ERR_INIT;
	JSON *good = NULL, *bad = NULL, *array = NULL;

	(void)state;
	assert_int_equal(
		parse_process("{'args':['id'],'cwd':'/','user':{'uid':9}}", &p, &a, &good, &err),
		0);
	assert_string_equal(p.args[0], "id");
	assert_int_equal(p.uid, 9);
	assert_int_equal(parse_process("{'args':['id'],\n'cwd':'x'}", &p, &a, &bad, &err), -EINVAL);
	assert_string_equal(err.msg, "process.json:2:7: cwd: 'x' is not an absolute path");
	assert_int_equal(parse_process("[]", &p, &a, &array, &err), -EINVAL);
	assert_string_equal(err.msg, "process.json:1:1: expected an object");
	arena_release(&a);
}

static void test_too_many_groups(void **state)
{
	BUF text = BUF_INIT;
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	(void)state;
	buf_adds(
		&text,
		"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],"
		"\"cwd\":\"/\",\"user\":{\"additionalGids\":[1");
	for (int i = 0; i < 65536; i++)
		buf_adds(&text, ",1");
	buf_adds(&text, "]}}}");
	assert_int_equal(spec_parse(BUNDLE, "c", text.data, text.len, &spec, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "c:1:102: process.user.additionalGids: 65537 groups, the kernel "
			    "takes at most 65536");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_args_env_cwd),
		cmocka_unit_test(test_bad_user),
		cmocka_unit_test(test_bad_terminal_and_security),
		cmocka_unit_test(test_bad_rlimits),
		cmocka_unit_test(test_bad_scheduling),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_env_keeps_the_last_of_a_name),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_scheduler_values),
		cmocka_unit_test(test_process_file),
		cmocka_unit_test(test_too_many_groups),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
