/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.seccomp: what becomes of its names, and every combination that is refused. */
#include "tests/unit/runtime/spec_cases.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>

#define AT      "linux.seccomp."
#define RULE(x) SECCOMP("'syscalls':[{'names':['read']," x "}]")
#define ARG(x)  RULE("'action':'SCMP_ACT_ERRNO','args':[{" x "}]")
#define NOTIFY  "'syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_NOTIFY'}]"

static void test_bad_top(void **state)
{
	static const struct bad_case cases[] = {
		{LINUX("'seccomp':@[]"), "linux.seccomp: expected an object, found an array"},
		{LINUX("'seccomp':@{}"),
		 "linux.seccomp: required property 'defaultAction' is missing"},
		{LINUX("'seccomp':{'defaultAction':@'ALLOW'}"),
		 AT "defaultAction: unknown action 'ALLOW'"},
		{LINUX("'seccomp':{'defaultAction':@'SCMP_ACT_NOTIFY'}"),
		 AT "defaultAction: SCMP_ACT_NOTIFY cannot be the default action"},
		{SECCOMP("'defaultErrnoRet':@1"),
		 AT "defaultErrnoRet: action SCMP_ACT_ALLOW takes no errno"},
		{LINUX("'seccomp':{'defaultAction':'SCMP_ACT_KILL','defaultErrnoRet':@1}"),
		 AT "defaultErrnoRet: action SCMP_ACT_KILL takes no errno"},
		{LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':@4096}"),
		 AT "defaultErrnoRet: too large for SCMP_ACT_ERRNO"},
		{LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':@-1}"),
		 AT "defaultErrnoRet: expected an integer from 0 to 65535, found -1"},
		{SECCOMP("'architectures':@'SCMP_ARCH_X86'"),
		 AT "architectures: expected an array, found a string"},
		{SECCOMP("'architectures':['SCMP_ARCH_X86',@'SCMP_ARCH_VAX']"),
		 AT "architectures[1]: unknown architecture 'SCMP_ARCH_VAX'"},
		{SECCOMP("'architectures':[@1]"),
		 AT "architectures[0]: expected a string, found 1"},
		{SECCOMP("'flags':@'x'"), AT "flags: expected an array, found a string"},
		{SECCOMP("'flags':[@'SECCOMP_FILTER_FLAG_FAST']"),
		 AT "flags[0]: unknown flag 'SECCOMP_FILTER_FLAG_FAST'"},
		{SECCOMP("'flags':@['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']"),
		 AT "flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with "
		    "SCMP_ACT_NOTIFY"},
		{SECCOMP("'listenerPath':@1"), AT "listenerPath: expected a string, found 1"},
		{SECCOMP("'listenerMetadata':@'m'"),
		 AT "listenerMetadata: must not be set without listenerPath"},
		{LINUX("'seccomp':@{'defaultAction':'SCMP_ACT_ALLOW'," NOTIFY "}"),
		 "linux.seccomp: SCMP_ACT_NOTIFY needs a listenerPath"},
		{SECCOMP("'syscalls':@{}"), AT "syscalls: expected an array, found an object"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_bad_rules(void **state)
{
	static const struct bad_case cases[] = {
		{SECCOMP("'syscalls':[@'read']"), AT "syscalls[0]: expected an object"},
		{SECCOMP("'syscalls':[@{'action':'SCMP_ACT_ALLOW'}]"),
		 AT "syscalls[0]: required property 'names' is missing"},
		{SECCOMP("'syscalls':[{'names':@[],'action':'SCMP_ACT_ALLOW'}]"),
		 AT "syscalls[0].names: must have at least one entry"},
		{SECCOMP("'syscalls':[{'names':[@1],'action':'SCMP_ACT_ALLOW'}]"),
		 AT "syscalls[0].names[0]: expected a string, found 1"},
		{SECCOMP("'syscalls':[@{'names':['read']}]"),
		 AT "syscalls[0]: required property 'action' is missing"},
		{RULE("'action':@'SCMP_ACT_WARN'"),
		 AT "syscalls[0].action: unknown action 'SCMP_ACT_WARN'"},
		{RULE("'action':'SCMP_ACT_ALLOW','errnoRet':@1"),
		 AT "syscalls[0].errnoRet: action SCMP_ACT_ALLOW takes no errno"},
		{RULE("'action':'SCMP_ACT_TRACE','errnoRet':@65536"),
		 AT "syscalls[0].errnoRet: expected an integer from 0 to 65535, found 65536"},
		{RULE("'action':'SCMP_ACT_ERRNO','errnoRet':@4096"),
		 AT "syscalls[0].errnoRet: too large for SCMP_ACT_ERRNO"},
		{RULE("'action':'SCMP_ACT_ERRNO','args':@{}"),
		 AT "syscalls[0].args: expected an array, found an object"},
		{RULE("'action':'SCMP_ACT_ERRNO','args':[@0]"),
		 AT "syscalls[0].args[0]: expected an object"},
		{RULE("'action':'SCMP_ACT_ERRNO','args':[@{'value':1,'op':'SCMP_CMP_EQ'}]"),
		 AT "syscalls[0].args[0]: required property 'index' is missing"},
		{ARG("'index':@6,'value':1,'op':'SCMP_CMP_EQ'"),
		 AT "syscalls[0].args[0].index: expected an integer from 0 to 5, found 6"},
		{RULE("'action':'SCMP_ACT_ERRNO','args':[@{'index':1,'op':'SCMP_CMP_EQ'}]"),
		 AT "syscalls[0].args[0]: required property 'value' is missing"},
		{ARG("'index':1,'value':@18446744073709551616,'op':'SCMP_CMP_EQ'"),
		 AT "syscalls[0].args[0].value: expected an integer from 0 to "
		    "18446744073709551615, found "
		    "18446744073709551616"},
		{ARG("'index':1,'value':1,'valueTwo':@-1,'op':'SCMP_CMP_EQ'"),
		 AT "syscalls[0].args[0].valueTwo: expected an integer from 0 to "
		    "18446744073709551615, found "
		    "-1"},
		{RULE("'action':'SCMP_ACT_ERRNO','args':[@{'index':1,'value':1}]"),
		 AT "syscalls[0].args[0]: required property 'op' is missing"},
		{ARG("'index':1,'value':1,'op':@'EQ'"),
		 AT "syscalls[0].args[0].op: unknown operator 'EQ'"},
	};

	(void)state;
	spec_check_bad(cases, ARRAY_SIZE(cases));
}

static void test_actions(void **state)
{
	static const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{"SCMP_ACT_KILL", SCMP_ACT_KILL},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(1)},
		{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(1)},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		FREE char *text =
			mem_xprintf(LINUX("'seccomp':{'defaultAction':'%s'}"), actions[i].name);
		SPEC *spec = spec_good(text);

		assert_int_equal(spec->seccomp->default_action, actions[i].action);
	}
}

static void test_values(void **state)
{
	SPEC *spec = spec_good(
		LINUX("'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,"
		      "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86'],"
		      "'flags':['SECCOMP_FILTER_FLAG_LOG','SECCOMP_FILTER_FLAG_TSYNC'],"
		      "'listenerPath':'/ignored','syscalls':[{'names':['read','no_such_call'],"
		      "'action':'SCMP_ACT_ALLOW'},{'names':['clone'],'action':'SCMP_ACT_TRACE','"
		      "errnoRet':65535,"
		      "'args':[{'index':5,'value':18446744073709551615,'valueTwo':7,'op':'SCMP_CMP_"
		      "MASKED_EQ'}]}]}"));
	const struct ns_seccomp *s = spec->seccomp;

	(void)state;
	assert_int_equal(s->default_action, SCMP_ACT_ERRNO(38));
	assert_int_equal(s->n_archs, 2);
	assert_int_equal(s->archs[1], SCMP_ARCH_X86);
	assert_true(s->flags_given);
	assert_int_equal(s->flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC);
	assert_null(s->listener_path); /* of no use without SCMP_ACT_NOTIFY */
	assert_int_equal(s->n_rules, 2);
	assert_string_equal(s->rules[0].names[1], "no_such_call");
	assert_null(s->rules[0].names[2]);
	assert_int_equal(s->rules[1].action, SCMP_ACT_TRACE(65535));
	assert_int_equal(s->rules[1].n_args, 1);
	assert_int_equal(s->rules[1].args[0].index, 5);
	assert_true(s->rules[1].args[0].value == UINT64_MAX);
	assert_int_equal(s->rules[1].args[0].value_two, 7);
	assert_int_equal(s->rules[1].args[0].op, SCMP_CMP_MASKED_EQ);
}

static void test_flags_null_and_empty_differ(void **state)
{
	SPEC *absent = spec_good(SECCOMP("'flags':null"));
	SPEC *empty = spec_good(SECCOMP("'flags':[]"));

	(void)state;
	assert_false(absent->seccomp->flags_given);
	assert_true(empty->seccomp->flags_given);
	assert_int_equal(empty->seccomp->flags, 0);
}

static void test_listener(void **state)
{
	SPEC *spec =
		spec_good(SECCOMP("'listenerPath':'/run/l','listenerMetadata':'m',"
				  "'flags':['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']," NOTIFY));

	(void)state;
	assert_string_equal(spec->seccomp->listener_path, "/run/l");
	assert_string_equal(spec->seccomp->listener_metadata, "m");
	assert_int_equal(spec->seccomp->rules[0].action, SCMP_ACT_NOTIFY);
}

static void test_good(void **state)
{
	static const char *const texts[] = {
		LINUX("'seccomp':null"),
		SECCOMP("'syscalls':null,'architectures':null,'listenerPath':'','listenerMetadata':"
			"''"),
		SECCOMP("'syscalls':[],'architectures':[]"),
		RULE("'action':'SCMP_ACT_ALLOW','args':null,'errnoRet':null,'comment':'x','"
		     "includes':{}"),
		RULE("'action':'SCMP_ACT_ERRNO','errnoRet':0,'args':[]"),
		RULE("'action':'SCMP_ACT_ERRNO','errnoRet':4095"),
	};

	(void)state;
	spec_check_good(texts, ARRAY_SIZE(texts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_top),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_flags_null_and_empty_differ),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_good),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
