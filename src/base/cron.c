/*
 * cron.c: due times and time zones; see cron.h.
 */
#include "postgres.h"

#include "base/cron.h"
#include "base/text.h"
#include "nodes/pg_list.h"
#include "port/pg_bitutils.h"
#include "utils/datetime.h"

#define MINUTES_A_DAY 1440

/*
 * The longest time between two 29 February of one weekday is 40 years, over a century without one: what no day of 41
 * years is, no day is.
 */
#define SEARCH_MONTHS (41 * 12)

/*
 * No local time is further from UTC than this: a week for the wildest rule that PostgreSQL reads, and for zones that
 * exist 16 hours. Twice as long ago, no clock showed what is later than it shows now.
 */
#define REACH_S (8 * (int64) SECS_PER_DAY)

#define EPOCH_S ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY)

static int64
floor_div(int64 a, int64 b)
{
	return a / b - (a % b < 0);
}

/* The first minute of a day, from the given one, or -1. */
static int
first_minute(const WfCron *cron, int from)
{
	int			minute = from % 60;

	for (int hour = from / 60; hour < 24; hour++)
	{
		uint64		rest = cron->minutes >> minute;

		if ((cron->hours >> hour & 1) != 0 && rest != 0)
			return hour * 60 + minute + pg_rightmost_one_pos64(rest);
		minute = 0;
	}
	return -1;
}

/* The first day, counted from 1970, from the given one; false when there is none. */
static bool
first_day(const WfCron *cron, int64 from, int64 *out)
{
	int			year;
	int			month;
	int			day;

	j2date((int) from + UNIX_EPOCH_JDATE, &year, &month, &day);
	for (int i = 0; i <= SEARCH_MONTHS; i++)
	{
		if ((cron->months >> month & 1) != 0)
		{
			int			eve = date2j(year, month, 1) - 1;

			for (; day <= day_tab[isleap(year)][month - 1]; day++)
			{
				bool		is_day = (cron->days >> day & 1) != 0;
				bool		is_weekday = (cron->weekdays >> j2day(eve + day) & 1) != 0;

				if (cron->either_day ? is_day || is_weekday : is_day && is_weekday)
				{
					*out = eve + day - UNIX_EPOCH_JDATE;
					return true;
				}
			}
		}
		day = 1;
		year += month == 12;
		month = month % 12 + 1;
	}
	return false;
}

/* The first local time, in minutes since 1970, from the given one; false when there is none. */
static bool
first_local(const WfCron *cron, int64 from, int64 *out)
{
	int64		today = floor_div(from, MINUTES_A_DAY);
	int64		day;
	int			minute;

	if (!first_day(cron, today, &day))
		return false;
	minute = first_minute(cron, day == today ? (int) (from - today * MINUTES_A_DAY) : 0);
	if (minute < 0)
	{
		if (!first_day(cron, today + 1, &day))
			return false;
		minute = first_minute(cron, 0);
	}
	*out = day * MINUTES_A_DAY + minute;
	return true;
}

/* How far clocks are ahead of UTC at an instant, and the next instant at which that may change. */
static pg_time_t
read_offset(pg_tz *zone, pg_time_t at, int64 *offset)
{
	long		before = 0;
	long		after;
	int			before_dst;
	int			after_dst;
	pg_time_t	change;
	int			found = pg_next_dst_boundary(&at, &before, &before_dst, &change, &after, &after_dst, zone);

	if (found < 0)
		elog(ERROR, "could not read clock changes of time zone \"%s\"", pg_get_timezone_name(zone));
	*offset = before;
	return found > 0 ? change : PG_INT64_MAX;
}

/* The latest local time that clocks have shown up to an instant; all in seconds since 1970. */
static int64
latest_local(pg_tz *zone, pg_time_t at)
{
	int64		latest = PG_INT64_MIN;
	pg_time_t	begin = at - 2 * REACH_S;

	for (;;)
	{
		int64		offset;
		pg_time_t	end = read_offset(zone, begin, &offset);

		latest = Max(latest, Min(end - 1, at) + offset);
		if (end > at)
			return latest;
		begin = end;
	}
}

/* When clocks first show a local time, or a later one; all in seconds since 1970. */
static pg_time_t
first_instant(pg_tz *zone, int64 local)
{
	pg_time_t	begin = local - REACH_S;

	for (;;)
	{
		int64		offset;
		pg_time_t	end = read_offset(zone, begin, &offset);

		if (begin + offset >= local)
			return begin;		/* skipped: the gap ends here */
		if (local - offset < end)
			return local - offset;
		begin = end;
	}
}

bool
wf_cron_next(const WfCron *cron, pg_tz *zone, TimestampTz after, TimestampTz *next)
{
	int64		shown;
	int64		minute;
	pg_time_t	at;

	if (TIMESTAMP_NOT_FINITE(after))
		return false;
	shown = latest_local(zone, floor_div(after, USECS_PER_SEC) + EPOCH_S);
	if (!first_local(cron, floor_div(shown, SECS_PER_MINUTE) + 1, &minute))
		return false;
	at = first_instant(zone, minute * SECS_PER_MINUTE) - EPOCH_S;
	if (at >= END_TIMESTAMP / USECS_PER_SEC)
		return false;
	*next = at * USECS_PER_SEC;
	Assert(*next > after);
	return true;
}

/* Names of zones are of letters, digits and these; nothing else gets as far as the file system. */
static bool
is_name(const char *name)
{
	size_t		bytes = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-");

	return bytes > 0 && bytes <= TZ_STRLEN_MAX && name[bytes] == '\0';
}

/*
 * Is this the name of a file? PostgreSQL gives a zone the name of its file, and one made of a rule the rule in
 * capitals. A rule has a digit in it. Only these files have a name of capitals and digits.
 */
static bool
is_file(const char *zone_name)
{
	static const char *const files[] = {"GMT0", "GMT+0", "GMT-0", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"};

	if (strpbrk(zone_name, "0123456789") == NULL || strpbrk(zone_name, "abcdefghijklmnopqrstuvwxyz") != NULL)
		return true;
	for (int i = 0; i < lengthof(files); i++)
		if (strcmp(zone_name, files[i]) == 0)
			return true;
	return false;
}

/* All names, without the copies that some systems have in folders of their own. */
static List *
zone_names(void)
{
	List	   *names = NIL;
	pg_tzenum  *zones = pg_tzenumerate_start();

	for (pg_tz *zone = pg_tzenumerate_next(zones); zone != NULL; zone = pg_tzenumerate_next(zones))
		if (strncmp(pg_get_timezone_name(zone), "posix/", 6) != 0)
			names = lappend(names, pstrdup(pg_get_timezone_name(zone)));
	pg_tzenumerate_end(zones);
	return names;
}

/* The name that was probably meant: the place alone is enough, and a slip is forgiven. NULL: none. */
static const char *
nearest_zone(const char *name)
{
	List	   *names = zone_names();
	int			n = list_length(names);
	const char **full = palloc(sizeof(char *) * (n + 1));
	const char **place = palloc(sizeof(char *) * (n + 1));
	const char *found;

	for (int i = 0; i < n; i++)
	{
		const char *slash;

		full[i] = list_nth(names, i);
		slash = strrchr(full[i], '/');
		place[i] = slash == NULL ? full[i] : slash + 1;
		if (pg_strcasecmp(name, place[i]) == 0)
			return full[i];
	}
	if (strlen(name) < 6)
		return NULL;			/* what is near an abbreviation is another zone */
	found = wf_text_nearest(name, full, n);
	if (found != NULL)
		return found;
	found = wf_text_nearest(name, place, n);
	for (int i = 0; i < n && found != NULL; i++)
		if (found == place[i])
			return full[i];
	return NULL;
}

pg_tz *
wf_cron_zone(const char *name, const char **hint)
{
	pg_tz	   *zone = is_name(name) ? pg_tzset(name) : NULL;
	const char *nearest;

	*hint = NULL;
	if (zone != NULL && pg_tz_acceptable(zone) && is_file(pg_get_timezone_name(zone)))
		return zone;
	nearest = nearest_zone(name);
	*hint = nearest != NULL ? psprintf("Did you mean \"%s\"?", nearest) :
		"Time zones have full names, such as Europe/Berlin or UTC; pg_timezone_names lists them.";
	return NULL;
}
