/*
 * cron.h: when a schedule is due: cron expressions, and clocks that change.
 *
 * Pure: text in, an instant in, an instant out; no clock, no SPI, no state. The parser is ours, as no packaged library
 * for C knows both cron and time zones, and pg_cron, whose parser is not exported, knows one zone. What it is to mean
 * is Vixie's cron; time zones are PostgreSQL's.
 *
 * 1. An expression is sets of minutes, hours, days, months and weekdays, that is a set of *local* times, to the
 *    minute, whatever the zone.
 * 2. A local time is due when the clocks of the zone first show it **or a later one**. That is one rule for every
 *    change: a time that a change skips is due when the gap ends, together with all that were skipped and the one
 *    that is due at that instant, as one; a time that comes twice is due at its first occurrence; and a later local
 *    time is never due before an earlier one.
 * 3. So what comes after an instant is the first local time of the set above the highest that clocks showed up to
 *    then, and its instant. No list of past firings is needed, and no minute is tried: the search goes by days in
 *    months that are in the set, and asks the zone for the changes of a few days only.
 *
 * A consequence of 2: while clocks show an hour for the second time, nothing is due, not even with "* * * * *".
 */
#ifndef WF_BASE_CRON_H
#define WF_BASE_CRON_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

#define WF_CRON_BYTES 255		/* the longest expression */

/* Bit n of a set is the value n; none is empty. */
typedef struct WfCron
{
	uint64		minutes;		/* 0 to 59 */
	uint32		hours;			/* 0 to 23 */
	uint32		days;			/* of a month, 1 to 31 */
	uint32		months;			/* 1 to 12 */
	uint32		weekdays;		/* 0 to 6, 0 is Sunday */
	bool		either_day;		/* both fields of days are restricted: a day in one of the two is enough */
} WfCron;

/*
 * Reads five fields, or a form such as @daily; both in CurrentMemoryContext, as are its problems. NULL when it is
 * none: `problem` says what is wrong and what is allowed, without a full stop; `field` is the name of the field
 * ("day of month"), or NULL when it is no single one. Text is in the server's encoding; any is refused without harm.
 */
extern WfCron *wf_cron_parse(const char *text, const char **field, const char **problem);

/*
 * The first time strictly after `after` at which it is due in a zone; false when it is never due, as on 31 February,
 * or `after` is infinite, or the last instants of PostgreSQL are reached. Allocates nothing.
 */
extern bool wf_cron_next(const WfCron *cron, pg_tz *zone, TimestampTz after, TimestampTz *next);

/*
 * A time zone by its full name, in any case; lives as long as the process. NULL when there is none: `hint` is a
 * sentence, in CurrentMemoryContext, with the name that was probably meant. Abbreviations (CEST) have no changes, and
 * rules in the manner of POSIX (Foo/Bar5), which PostgreSQL reads into almost any word with a digit, have wrong ones:
 * both are refused. A name that is refused takes tens of milliseconds, as all names are looked through for the hint.
 */
extern pg_tz *wf_cron_zone(const char *name, const char **hint);

#endif
