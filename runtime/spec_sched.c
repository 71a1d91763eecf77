/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a process is scheduled: process.scheduler, process.ioPriority, linux.memoryPolicy and
 * linux.personality. The combinations that the kernel would refuse at execution (man 2
 * sched_setattr, man 2 set_mempolicy) are refused here already.
 */
#include <sched.h>
#include <string.h>
#include <sys/personality.h>

#include <linux/mempolicy.h>

#include "runtime/spec_parse.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6 /* Linux 6.9 */
#endif
#ifndef MPOL_PREFERRED_MANY
#define MPOL_PREFERRED_MANY 5 /* Linux 5.15 */
#endif

#define MIN_DEADLINE_RUNTIME 1024 /* nanoseconds: the kernel counts in units of that (DL_SCALE) */

static int read_policy(const struct json_node *n, struct ns_scheduler *s, struct err *err)
{
	const char *name = NULL;
	int policy, rc = spec_need_string(n, "policy", &name, err);

	if (rc < 0)
		return rc;
	policy = ns_scheduler_policy_parse(name);
	if (policy < 0)
		return json_error(json_get(n, "policy"), err, "unknown scheduling policy '%s'",
				  name);
	s->policy = (uint32_t)policy;
	return 0;
}

static int read_flags(const struct json_node *n, struct ns_scheduler *s, struct err *err)
{
	const struct json_node *array = NULL;
	int rc = json_get_array(n, "flags", &array, err);

	if (rc <= 0)
		return rc;
	json_each (child, array) {
		const char *name = NULL;
		int flag;

		rc = json_as_string(child, &name, err);
		if (rc < 0)
			return rc;
		flag = ns_scheduler_flag_parse(name);
		if (flag < 0)
			return json_error(child, err, "unknown scheduling flag '%s'", name);
		s->flags |= (uint64_t)flag;
	}
	return 0;
}

static int check_priority(const struct json_node *n, const struct ns_scheduler *s, struct err *err)
{
	bool is_rt = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
	bool is_fair = s->policy == SCHED_OTHER || s->policy == SCHED_BATCH;

	if (is_rt && s->priority == 0)
		return json_error(n, err, "a real-time policy needs a priority from 1 to 99");
	if (!is_rt && s->priority != 0)
		return json_error(json_get(n, "priority"), err,
				  "only SCHED_FIFO and SCHED_RR have a priority");
	if (!is_fair && s->nice != 0)
		return json_error(json_get(n, "nice"), err,
				  "only SCHED_OTHER and SCHED_BATCH have a nice value");
	return 0;
}

/* The kernel's rule: 1024 <= runtime <= deadline <= period, a period of 0 being the deadline. */
static int check_deadline(const struct json_node *n, const struct ns_scheduler *s, struct err *err)
{
	if (s->policy != SCHED_DEADLINE) {
		if (s->runtime_ns || s->deadline_ns || s->period_ns)
			return json_error(n, err,
					  "only SCHED_DEADLINE has a runtime, deadline and period");
		return 0;
	}
	if (s->runtime_ns < MIN_DEADLINE_RUNTIME)
		return json_error(n, err, "SCHED_DEADLINE needs a runtime of at least %d",
				  MIN_DEADLINE_RUNTIME);
	if (s->deadline_ns < s->runtime_ns)
		return json_error(n, err, "the deadline is shorter than the runtime");
	if (s->period_ns != 0 && s->period_ns < s->deadline_ns)
		return json_error(n, err, "the period is shorter than the deadline");
	return 0;
}

int spec_read_scheduler(const struct json_node *scheduler, struct arena *a,
			const struct ns_scheduler **ret, struct err *err)
{
	struct ns_scheduler *s = arena_alloc(a, 1, sizeof(*s));
	int64_t nice = 0, priority = 0;
	int rc = read_policy(scheduler, s, err);

	if (rc == 0)
		rc = spec_get_ranged(scheduler, "nice", -20, 19, &nice, err);
	if (rc >= 0)
		rc = spec_get_ranged(scheduler, "priority", 0, 99, &priority, err);
	if (rc >= 0)
		rc = spec_get_limit(scheduler, "runtime", INT64_MAX, &s->runtime_ns, err);
	if (rc >= 0)
		rc = spec_get_limit(scheduler, "deadline", INT64_MAX, &s->deadline_ns, err);
	if (rc >= 0)
		rc = spec_get_limit(scheduler, "period", INT64_MAX, &s->period_ns, err);
	if (rc >= 0)
		rc = read_flags(scheduler, s, err);
	if (rc < 0)
		return rc;
	s->nice = (int32_t)nice;
	s->priority = (uint32_t)priority;
	rc = check_priority(scheduler, s, err);
	if (rc == 0)
		rc = check_deadline(scheduler, s, err);
	if (rc < 0)
		return rc;
	*ret = s;
	return 0;
}

int spec_read_ioprio(const struct json_node *ioprio, struct arena *a, const struct ns_ioprio **ret,
		     struct err *err)
{
	struct ns_ioprio *p = arena_alloc(a, 1, sizeof(*p));
	const char *name = NULL;
	int64_t priority = 0;
	int rc = spec_need_string(ioprio, "class", &name, err);

	if (rc < 0)
		return rc;
	p->klass = ns_ioprio_class_parse(name);
	if (p->klass < 0)
		return json_error(json_get(ioprio, "class"), err, "unknown I/O class '%s'", name);
	rc = spec_get_ranged(ioprio, "priority", 0, 7, &priority, err);
	if (rc < 0)
		return rc;
	p->priority = (int)priority;
	*ret = p;
	return 0;
}

static int read_mempolicy_flags(const struct json_node *policy, int *ret, struct err *err)
{
	const struct json_node *array = NULL;
	int rc = json_get_array(policy, "flags", &array, err);

	if (rc <= 0)
		return rc;
	json_each (child, array) {
		const char *name = NULL;
		int flag;

		rc = json_as_string(child, &name, err);
		if (rc < 0)
			return rc;
		flag = ns_mempolicy_flag_parse(name);
		if (flag < 0)
			return json_error(child, err, "unknown memory policy flag '%s'", name);
		*ret |= flag;
	}
	if ((*ret & MPOL_F_STATIC_NODES) && (*ret & MPOL_F_RELATIVE_NODES))
		return json_error(
			array, err,
			"MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	return 0;
}

static int check_mempolicy_nodes(const struct json_node *policy, int mode, const char *name,
				 const char *nodes, struct err *err)
{
	if ((mode == MPOL_DEFAULT || mode == MPOL_LOCAL) && nodes)
		return json_error(json_get(policy, "nodes"), err, "%s takes no nodes", name);
	if ((mode == MPOL_BIND || mode == MPOL_INTERLEAVE || mode == MPOL_PREFERRED_MANY ||
	     mode == MPOL_WEIGHTED_INTERLEAVE) &&
	    !nodes)
		return json_error(policy, err, "%s needs at least one node", name);
	return 0;
}

int spec_read_mempolicy(const struct json_node *policy, struct arena *a,
			const struct ns_mempolicy **ret, struct err *err)
{
	struct ns_mempolicy *m = arena_alloc(a, 1, sizeof(*m));
	const char *name = NULL;
	int flags = 0, rc = spec_need_string(policy, "mode", &name, err);

	if (rc < 0)
		return rc;
	m->mode = ns_mempolicy_mode_parse(name);
	if (m->mode < 0)
		return json_error(json_get(policy, "mode"), err, "unknown memory policy '%s'",
				  name);
	rc = spec_get_cpu_list(policy, "nodes", SPEC_NODE_BITS, a, &m->nodes, err);
	if (rc >= 0)
		rc = check_mempolicy_nodes(policy, m->mode, name, m->nodes, err);
	if (rc >= 0)
		rc = read_mempolicy_flags(policy, &flags, err);
	if (rc < 0)
		return rc;
	m->mode |= flags;
	*ret = m;
	return 0;
}

int spec_read_personality(const struct json_node *personality, struct ns_process *p,
			  struct err *err)
{
	const struct json_node *flags = NULL;
	const char *domain = NULL;
	int rc = spec_need_string(personality, "domain", &domain, err);

	if (rc < 0)
		return rc;
	if (strcmp(domain, "LINUX") == 0)
		p->personality = PER_LINUX;
	else if (strcmp(domain, "LINUX32") == 0)
		p->personality = PER_LINUX32;
	else
		return json_error(json_get(personality, "domain"), err,
				  "unknown domain '%s', expected LINUX or LINUX32", domain);
	p->has_personality = true;
	rc = json_get_array(personality, "flags", &flags, err);
	if (rc > 0 && json_count(flags) > 0)
		return json_error(flags, err, "no flags are supported");
	return rc < 0 ? rc : 0;
}
