/*
 * calendar.c: see calendar.h.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "expr/calendar.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#define CYCLE_DAYS	146097		/* of 400 years */

const char *const wf_expr_month_names[12] = {"January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October", "November", "December"};
const char *const wf_expr_weekday_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* Seconds east of UTC that hold in a zone at an instant. */
int
wf_expr_offset(double ms, pg_tz *zone)
{
	pg_time_t	seconds = (pg_time_t) floor(ms / 1000);
	struct pg_tm *tm = zone ? pg_localtime(&seconds, zone) : NULL;

	return tm ? (int) tm->tm_gmtoff : 0;
}

void
wf_expr_civil(double ms, pg_tz *zone, WfCivil *out)
{
	pg_time_t	seconds = (pg_time_t) floor(ms / 1000);
	struct pg_tm *tm = zone ? pg_localtime(&seconds, zone) : NULL;
	double		local;
	double		days;
	double		cycles;
	double		rest;
	int			year;

	out->offset = tm ? (int) tm->tm_gmtoff : 0;
	out->zone = tm && tm->tm_zone ? tm->tm_zone : "UTC";
	local = ms + out->offset * 1000.0;
	days = floor(local / MS_PER_DAY);
	rest = local - days * MS_PER_DAY;
	cycles = floor(days / CYCLE_DAYS);
	j2date((int) (days - cycles * CYCLE_DAYS) + UNIX_EPOCH_JDATE, &year, &out->month, &out->day);
	out->year = year + cycles * 400;
	out->weekday = (int) fmod(fmod(days + 4, 7) + 7, 7);
	out->hour = (int) (rest / 3600000);
	out->minute = (int) fmod(rest / 60000, 60);
	out->second = (int) fmod(rest / 1000, 60);
	out->ms = (int) fmod(rest, 1000);
}

double
wf_expr_make_day(double year, double month, double day)
{
	double		cycles;
	int			m;

	if (!isfinite(year) || !isfinite(month) || !isfinite(day))
		return NAN;
	year = trunc(year) + floor(trunc(month) / 12);
	m = (int) (trunc(month) - floor(trunc(month) / 12) * 12);
	if (fabs(year) > 400000)
		return NAN;
	cycles = floor((year - 2000) / 400);
	return date2j((int) (year - cycles * 400), m + 1, 1) - UNIX_EPOCH_JDATE + cycles * CYCLE_DAYS + trunc(day) - 1;
}

double
wf_expr_from_local(double local_ms, pg_tz *zone)
{
	int			before;
	int			after;
	double		ms;

	if (zone == NULL || !isfinite(local_ms))
		return local_ms;
	before = wf_expr_offset(local_ms - MS_PER_DAY, zone);
	after = wf_expr_offset(local_ms + MS_PER_DAY, zone);
	ms = local_ms - before * 1000.0;
	if (before == after || wf_expr_offset(ms, zone) == before)
		return ms;
	if (wf_expr_offset(local_ms - after * 1000.0, zone) == after)
		return local_ms - after * 1000.0;
	return ms;					/* skipped by a clock change */
}

double
wf_expr_clip(double ms)
{
	if (!(fabs(ms) <= 8.64e15))
		return NAN;
	return trunc(ms) + 0.0;
}

double
wf_expr_days_in_month(double year, int month)
{
	return wf_expr_make_day(year, month, 1) - wf_expr_make_day(year, month - 1, 1);
}

int
wf_expr_day_of_year(const WfCivil *civil)
{
	return (int) (wf_expr_make_day(civil->year, civil->month - 1, civil->day) - wf_expr_make_day(civil->year, 0, 1)) + 1;
}

int
wf_expr_week(const WfCivil *civil, double *week_year)
{
	double		days = wf_expr_make_day(civil->year, civil->month - 1, civil->day);
	double		thursday = days - (civil->weekday + 6) % 7 + 3;
	WfCivil		at;

	wf_expr_civil(thursday * MS_PER_DAY, NULL, &at);
	*week_year = at.year;
	return (wf_expr_day_of_year(&at) - 1) / 7 + 1;
}

/* A time zone by its name; `utc+2`, `local` and `system` as users of Luxon write them. Throws WF008. */
pg_tz *
wf_expr_zone(WfEval *ev, const WfValue *name)
{
	WfValue		text;
	char	   *zone;
	int			hours;
	int			minutes = 0;
	char		sign;
	pg_tz	   *found;

	wf_expr_to_string(ev, name, &text);
	zone = wf_expr_cstring(ev, &text);
	if (pg_strcasecmp(zone, "local") == 0 || pg_strcasecmp(zone, "system") == 0 || pg_strcasecmp(zone, "default") == 0)
		return session_timezone;
	if (strlen(zone) <= 10 && pg_strncasecmp(zone, "utc", 3) == 0 &&
		sscanf(zone + 3, "%c%2d:%2d", &sign, &hours, &minutes) >= 2 && (sign == '+' || sign == '-') && hours <= 14)
		return pg_tzset_offset((sign == '+' ? -1 : 1) * (hours * 3600L + minutes * 60L));
	found = strlen(zone) > 0 && strlen(zone) <= TZ_STRLEN_MAX ? pg_tzset(zone) : NULL;
	if (found == NULL || !pg_tz_acceptable(found))
		wf_expr_throw(ev, "unknown time zone \"%s\"", pnstrdup(zone, Min(strlen(zone), 64)));
	return found;
}

/* 1 to 12 by the first three letters; 0 for none. */
int
wf_expr_month_by_name(const char *name, uint32 len)
{
	for (int i = 0; i < 12; i++)
		if (len >= 3 && pg_strncasecmp(name, wf_expr_month_names[i], 3) == 0)
			return i + 1;
	return 0;
}
