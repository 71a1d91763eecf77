/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By hand, since the C library reads the host's time zone for gmtime, too: a file more at the start of
 * a container, and one that a process in a jail cannot open. Days to date after Howard Hinnant,
 * "chrono-compatible low-level date algorithms", civil_from_days; years from March on, so that the leap
 * day is a year's last.
 */
#include "base/utc.h"

#include <stdint.h>
#include <stdio.h>

void utc_format(const struct timespec *t, enum utc_digits digits, char ret[static UTC_LEN])
{
	uint64_t secs = (uint64_t)t->tv_sec, day = secs / 86400 + 719468, time = secs % 86400;
	uint64_t era = day / 146097, of_era = day % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153; /* 0 is March */
	int n = snprintf(ret, UTC_LEN, "%04u-%02u-%02uT%02u:%02u:%02u",
			 (unsigned int)(year + era * 400 + (month >= 10)) % 10000,
			 (unsigned int)(month < 10 ? month + 3 : month - 9) % 100,
			 (unsigned int)(of_year - (153 * month + 2) / 5 + 1) % 100,
			 (unsigned int)(time / 3600) % 100, (unsigned int)(time / 60 % 60),
			 (unsigned int)(time % 60));

	if (digits == UTC_NANOSECONDS)
		n += snprintf(ret + n, UTC_LEN - (size_t)n, ".%09ld", t->tv_nsec);
	snprintf(ret + n, UTC_LEN - (size_t)n, "Z");
}
