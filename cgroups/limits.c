// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What can be said about limits without a host: whether they make sense, which controller each one
 * asks for, and the conversions from the v1 units of the OCI configuration to those of cgroup v2.
 *
 * See runtime-spec config-linux.md#control-groups and Documentation/admin-guide/cgroup-v2.rst.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define SHARES_MIN       2
#define SHARES_MAX       262144
#define WEIGHT_MAX       10000
#define BLKIO_WEIGHT_MIN 10
#define BLKIO_WEIGHT_MAX 1000

int cgroup_property_error(struct err *err, int errnum, const char *property, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = err_vset(err, errnum, fmt, ap);
	va_end(ap);
	return err_wrap(err, rc, "linux.resources.%s", property);
}

/* ---- conversions ---- */

/* ln(x) for x > 0: exponent by division, mantissa by 2 atanh((m-1)/(m+1)), which converges fast. */
static double ln(double x)
{
	const double ln2 = 0.693147180559945309417;
	double exponent = 0, t, power, sum = 0;

	while (x >= 2) {
		x /= 2;
		exponent++;
	}
	t = (x - 1) / (x + 1);
	power = t;
	for (int k = 1; k < 40; k += 2) {
		sum += power / k;
		power *= t * t;
	}
	return exponent * ln2 + 2 * sum;
}

/* e^x for 0 <= x < 10 by its power series. */
static double exp_series(double x)
{
	double term = 1, sum = 1;

	for (int k = 1; k < 60; k++) {
		term *= x / k;
		sum += term;
	}
	return sum;
}

/*
 * 10^((l^2 + 125 l) / 612 - 7/34), l = log2(shares): a curve through (2, 1), (1024, 100) and
 * (262144, 10000), the least, default and greatest value on both sides. Rounded up; what lies less
 * than 1e-9 above a whole number is that number, for the curve's own fixed points.
 */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	const double ln2 = 0.693147180559945309417, ln10 = 2.302585092994045684018;
	double l, weight;
	uint64_t whole;

	if (shares <= SHARES_MIN)
		return 1;
	if (shares >= SHARES_MAX)
		return WEIGHT_MAX;
	l = ln((double)shares) / ln2;
	weight = exp_series(((l * l + 125 * l) / 612 - 7.0 / 34) * ln10);
	whole = (uint64_t)weight;
	return weight - (double)whole > 1e-9 ? whole + 1 : whole;
}

uint64_t cgroup_io_weight_of(uint64_t weight)
{
	return 1 + (weight - BLKIO_WEIGHT_MIN) * (WEIGHT_MAX - 1) /
			   (BLKIO_WEIGHT_MAX - BLKIO_WEIGHT_MIN);
}

int cgroup_swap_of(int64_t swap, int64_t limit, int64_t *ret, struct err *err)
{
	if (swap < 0 || (swap == 0 && limit < 0)) {
		*ret = -1;
		return 0;
	}
	if (limit < 0) {
		*ret = swap;
		return 0;
	}
	if (limit == 0)
		return cgroup_property_error(
			err, EINVAL, "memory.swap",
			"memory plus swap cannot be limited without memory.limit");
	if (swap < limit)
		return cgroup_property_error(
			err, EINVAL, "memory.swap",
			"%lld is below memory.limit %lld (swap counts memory too)", (long long)swap,
			(long long)limit);
	*ret = swap - limit;
	return 0;
}

/* ---- checks ---- */

static int check_i64(const struct opt_i64 *o, const char *property, int64_t min, struct err *err)
{
	if (!o->set || o->value >= min)
		return 0;
	return cgroup_property_error(err, EINVAL, property,
				     "%lld is out of range: the least is %lld", (long long)o->value,
				     (long long)min);
}

static int check_memory(const struct cgroup_limits *l, struct err *err)
{
	const struct {
		const struct opt_i64 *value;
		const char *property;
	} sizes[] = {
		{&l->memory_limit, "memory.limit"},
		{&l->memory_reservation, "memory.reservation"},
		{&l->memory_swap, "memory.swap"},
		{&l->memory_kernel, "memory.kernel"},
		{&l->memory_kernel_tcp, "memory.kernelTCP"},
	};
	int64_t swap;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (check_i64(sizes[i].value, sizes[i].property, -1, err) < 0)
			return -EINVAL;
	if (l->memory_swappiness.set && l->memory_swappiness.value > 100)
		return cgroup_property_error(err, EINVAL, "memory.swappiness",
					     "%llu is out of range: 0 to 100",
					     (unsigned long long)l->memory_swappiness.value);
	if (l->memory_limit.set && l->memory_limit.value != 0 && l->memory_swap.set &&
	    l->memory_swap.value != 0)
		return cgroup_swap_of(l->memory_swap.value, l->memory_limit.value, &swap, err);
	return 0;
}

static int check_cpu(const struct cgroup_limits *l, struct err *err)
{
	if (l->cpu_idle.set && l->cpu_idle.value != 0 && l->cpu_idle.value != 1)
		return cgroup_property_error(err, EINVAL, "cpu.idle",
					     "%lld is out of range: 0 or 1",
					     (long long)l->cpu_idle.value);
	if (l->cpu_burst.set && l->cpu_quota.set && l->cpu_quota.value > 0 &&
	    l->cpu_burst.value > (uint64_t)l->cpu_quota.value)
		return cgroup_property_error(
			err, EINVAL, "cpu.burst", "%llu is above cpu.quota %lld",
			(unsigned long long)l->cpu_burst.value, (long long)l->cpu_quota.value);
	return 0;
}

static int check_weight(const struct opt_u64 *w, const char *property, struct err *err)
{
	if (!w->set || w->value == 0 ||
	    (w->value >= BLKIO_WEIGHT_MIN && w->value <= BLKIO_WEIGHT_MAX))
		return 0;
	return cgroup_property_error(err, EINVAL, property, "%llu is out of range: %d to %d",
				     (unsigned long long)w->value, BLKIO_WEIGHT_MIN,
				     BLKIO_WEIGHT_MAX);
}

static int check_block_io(const struct cgroup_limits *l, struct err *err)
{
	if (check_weight(&l->block_weight, "blockIO.weight", err) < 0 ||
	    check_weight(&l->block_leaf_weight, "blockIO.leafWeight", err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < l->n_block_weights; i++) {
		const struct cgroup_block_weight *w = &l->block_weights[i];

		if (check_weight(&w->weight, "blockIO.weightDevice", err) < 0 ||
		    check_weight(&w->leaf_weight, "blockIO.weightDevice", err) < 0)
			return -EINVAL;
		if (!w->weight.set && !w->leaf_weight.set)
			return cgroup_property_error(
				err, EINVAL, "blockIO.weightDevice",
				"device %u:%u has neither weight nor leafWeight", w->major,
				w->minor);
	}
	return 0;
}

/* "2MB", "1GB", "64KB": ^[1-9][0-9]*[KMG]B$ */
static bool is_page_size(const char *s)
{
	size_t digits = s ? strspn(s, "0123456789") : 0;

	return digits > 0 && digits < 12 && s[0] != '0' && s[digits] && strchr("KMG", s[digits]) &&
	       strcmp(s + digits + 1, "B") == 0;
}

static bool is_file_name(const char *s)
{
	return s && *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static int check_hugepages(const struct cgroup_limits *l, struct err *err)
{
	for (size_t i = 0; i < l->n_hugepages; i++)
		if (!is_page_size(l->hugepages[i].page_size))
			return cgroup_property_error(
				err, EINVAL, "hugepageLimits",
				"page size '%s' must be a number and KB, MB or GB, as '2MB'",
				l->hugepages[i].page_size ? l->hugepages[i].page_size : "");
	return 0;
}

/* Names that become part of a line written into a kernel file must not hold its separators. */
static bool is_word(const char *s)
{
	return s && *s && !strpbrk(s, " \t\n");
}

static int check_names(const struct cgroup_limits *l, struct err *err)
{
	for (size_t i = 0; i < l->n_net_priorities; i++)
		if (!is_word(l->net_priorities[i].interface))
			return cgroup_property_error(err, EINVAL, "network.priorities",
						     "bad interface name '%s'",
						     l->net_priorities[i].interface);
	for (size_t i = 0; i < l->n_rdma; i++)
		if (!is_word(l->rdma[i].device))
			return cgroup_property_error(err, EINVAL, "rdma", "bad device name '%s'",
						     l->rdma[i].device);
	for (size_t i = 0; i < l->n_unified; i++) {
		const struct cgroup_unified *u = &l->unified[i];

		if (!is_file_name(u->file))
			return cgroup_property_error(err, EINVAL, "unified",
						     "'%s' must be a file name without '/'",
						     u->file);
		if (!u->value)
			return cgroup_property_error(err, EINVAL, "unified", "'%s' has no value",
						     u->file);
	}
	return 0;
}

static int check_devices(const struct cgroup_limits *l, struct err *err)
{
	for (size_t i = 0; i < l->n_devices; i++) {
		const struct cgroup_device_rule *r = &l->devices[i];

		if (r->type != 'a' && r->type != 'b' && r->type != 'c')
			return cgroup_property_error(err, EINVAL, "devices",
						     "entry %zu: type must be a, b or c", i);
		if (r->major < -1 || r->major > INT32_MAX || r->minor < -1 || r->minor > INT32_MAX)
			return cgroup_property_error(err, EINVAL, "devices",
						     "entry %zu: %lld:%lld is out of range", i,
						     (long long)r->major, (long long)r->minor);
	}
	return 0;
}

int cgroup_limits_check(const struct cgroup_limits *l, struct err *err)
{
	int r = check_memory(l, err);

	if (r == 0)
		r = check_cpu(l, err);
	if (r == 0)
		r = check_block_io(l, err);
	if (r == 0)
		r = check_hugepages(l, err);
	if (r == 0)
		r = check_names(l, err);
	if (r == 0)
		r = check_devices(l, err);
	return r;
}

/* ---- which controller a limit asks for ---- */

static bool limits(const struct opt_i64 *o)
{
	return o->set && o->value > 0;
}

static bool given(const struct opt_u64 *o)
{
	return o->set && o->value > 0;
}

static const char *need_cpu(const struct cgroup_limits *l)
{
	if (given(&l->cpu_shares))
		return "cpu.shares";
	if (limits(&l->cpu_quota))
		return "cpu.quota";
	if (given(&l->cpu_period))
		return "cpu.period";
	if (given(&l->cpu_burst))
		return "cpu.burst";
	if (limits(&l->cpu_idle))
		return "cpu.idle";
	if (l->cpu_rt_runtime.set && l->cpu_rt_runtime.value != 0)
		return "cpu.realtimeRuntime";
	return given(&l->cpu_rt_period) ? "cpu.realtimePeriod" : NULL;
}

static const char *need_cpuset(const struct cgroup_limits *l)
{
	if (l->cpuset_cpus && *l->cpuset_cpus)
		return "cpu.cpus";
	return l->cpuset_mems && *l->cpuset_mems ? "cpu.mems" : NULL;
}

static const char *need_memory(const struct cgroup_limits *l)
{
	if (limits(&l->memory_limit))
		return "memory.limit";
	if (limits(&l->memory_swap))
		return "memory.swap";
	if (limits(&l->memory_reservation))
		return "memory.reservation";
	if (limits(&l->memory_kernel))
		return "memory.kernel";
	if (limits(&l->memory_kernel_tcp))
		return "memory.kernelTCP";
	if (l->memory_swappiness.set)
		return "memory.swappiness";
	return l->memory_disable_oom_killer.set && l->memory_disable_oom_killer.value
		       ? "memory.disableOOMKiller"
		       : NULL;
}

static const char *need_io(const struct cgroup_limits *l)
{
	if (given(&l->block_weight))
		return "blockIO.weight";
	if (given(&l->block_leaf_weight))
		return "blockIO.leafWeight";
	if (l->n_block_weights > 0)
		return "blockIO.weightDevice";
	if (l->n_read_bps > 0)
		return "blockIO.throttleReadBpsDevice";
	if (l->n_write_bps > 0)
		return "blockIO.throttleWriteBpsDevice";
	if (l->n_read_iops > 0)
		return "blockIO.throttleReadIOPSDevice";
	return l->n_write_iops > 0 ? "blockIO.throttleWriteIOPSDevice" : NULL;
}

const char *cgroup_limits_need(const struct cgroup_limits *l, enum cgroup_ctrl ctrl)
{
	switch (ctrl) {
	case CTRL_CPU:
		return need_cpu(l);
	case CTRL_CPUSET:
		return need_cpuset(l);
	case CTRL_MEMORY:
		return need_memory(l);
	case CTRL_IO:
		return need_io(l);
	case CTRL_PIDS:
		return l->pids_limit.set && l->pids_limit.value >= 0 ? "pids.limit" : NULL;
	case CTRL_HUGETLB:
		return l->n_hugepages > 0 ? "hugepageLimits" : NULL;
	case CTRL_RDMA:
		return l->n_rdma > 0 ? "rdma" : NULL;
	case CTRL_NET_CLS:
		return given(&l->net_class_id) ? "network.classID" : NULL;
	case CTRL_NET_PRIO:
		return l->n_net_priorities > 0 ? "network.priorities" : NULL;
	case CTRL_CPUACCT:
	case CTRL_DEVICES:
	case CTRL_FREEZER:
	case CTRL_MAX:
		break;
	}
	return NULL;
}
