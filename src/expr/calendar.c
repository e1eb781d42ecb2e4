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

/* -- reading dates, as Date.parse does -- */

typedef struct Scan
{
	const char *s;
	uint32		len;
	uint32		at;
} Scan;

static int
next_char(const Scan *scan)
{
	return scan->at < scan->len ? (unsigned char) scan->s[scan->at] : -1;
}

/* Exactly n digits; -1 when they are not there. */
static int
digits(Scan *scan, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		int			c = scan->at + i < scan->len ? scan->s[scan->at + i] : 0;

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	scan->at += n;
	return value;
}

static bool
take(Scan *scan, char c)
{
	if (next_char(scan) != c)
		return false;
	scan->at++;
	return true;
}

/* The offset at the end of an ISO text; false when it is wrong. */
static bool
iso_offset(Scan *scan, bool *has, double *offset_ms)
{
	int			sign;
	int			hours;
	int			minutes;

	*has = false;
	*offset_ms = 0;
	if (take(scan, 'Z') || take(scan, 'z'))
	{
		*has = true;
		return true;
	}
	if (next_char(scan) != '+' && next_char(scan) != '-')
		return true;
	sign = scan->s[scan->at++] == '-' ? -1 : 1;
	hours = digits(scan, 2);
	take(scan, ':');
	minutes = digits(scan, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*has = true;
	*offset_ms = sign * (hours * 3600000.0 + minutes * 60000.0);
	return true;
}

/* ISO 8601 as ECMAScript has it; false when the text is none. */
static bool
parse_iso(const char *s, uint32 len, pg_tz *zone, double *out)
{
	Scan		scan = {s, len, 0};
	int			sign = 1;
	int			year;
	int			month = 1;
	int			day = 1;
	int			part[3] = {0, 0, 0};
	double		fraction = 0;
	double		offset = 0;
	bool		has_time = false;
	bool		has_offset = false;
	double		ms;

	if (next_char(&scan) == '+' || next_char(&scan) == '-')
	{
		sign = s[scan.at++] == '-' ? -1 : 1;
		year = digits(&scan, 6);
		if (sign < 0 && year == 0)
			return false;
	}
	else
		year = digits(&scan, 4);
	if (year < 0)
		return false;
	if (take(&scan, '-'))
	{
		month = digits(&scan, 2);
		if (month < 1 || month > 12)
			return false;
		if (take(&scan, '-'))
		{
			day = digits(&scan, 2);
			if (day < 1 || day > 31)
				return false;
		}
	}
	if (take(&scan, 'T') || take(&scan, 't'))
	{
		has_time = true;
		part[0] = digits(&scan, 2);
		if (part[0] < 0 || part[0] > 24 || !take(&scan, ':'))
			return false;
		part[1] = digits(&scan, 2);
		if (part[1] < 0 || part[1] > 59)
			return false;
		if (take(&scan, ':'))
		{
			part[2] = digits(&scan, 2);
			if (part[2] < 0 || part[2] > 59)
				return false;
			if (next_char(&scan) == '.')
			{
				double		unit = 100;

				scan.at++;
				if (!isdigit(next_char(&scan)))
					return false;
				for (; isdigit(next_char(&scan)); scan.at++, unit = floor(unit / 10))
					fraction += (next_char(&scan) - '0') * unit;
			}
		}
		if (part[0] == 24 && (part[1] > 0 || part[2] > 0 || fraction > 0))
			return false;
	}
	if (!iso_offset(&scan, &has_offset, &offset) || scan.at < len)
		return false;
	ms = wf_expr_make_day(sign * year, month - 1, day) * MS_PER_DAY + part[0] * 3600000.0 + part[1] * 60000.0 +
		part[2] * 1000.0 + fraction;
	if (has_offset)
		ms -= offset;
	else if (has_time)
		ms = wf_expr_from_local(ms, zone);
	*out = wf_expr_clip(ms);
	return true;
}

/* What the tolerant reader has found so far. */
typedef struct Loose
{
	int			day[3];
	int			n_day;
	int			month;			/* by name */
	int			time[4];
	int			n_time;
	bool		has_time;
	int			pm;				/* 1: am, 2: pm */
	bool		has_zone;
	double		offset_ms;
	bool		iso_order;
} Loose;

static const struct
{
	const char *name;
	int			hours;
}			zone_names[] = {{"utc", 0}, {"ut", 0}, {"z", 0}, {"gmt", 0}, {"est", -5}, {"edt", -4}, {"cst", -6}, {"cdt", -5},
{"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}};

static bool
loose_word(Scan *scan, Loose *found, bool had_number)
{
	uint32		from = scan->at;
	uint32		len;
	const char *word = scan->s + from;

	while (isalpha(next_char(scan)))
		scan->at++;
	len = scan->at - from;
	if (wf_expr_month_by_name(word, len) && len >= 3)
	{
		found->month = wf_expr_month_by_name(word, len);
		take(scan, '.');
		return true;
	}
	if (len == 2 && (word[1] | 0x20) == 'm' && ((word[0] | 0x20) == 'a' || (word[0] | 0x20) == 'p') && found->has_time)
	{
		found->pm = (word[0] | 0x20) == 'p' ? 2 : 1;
		return true;
	}
	for (int i = 0; i < lengthof(zone_names); i++)
		if (strlen(zone_names[i].name) == len && pg_strncasecmp(word, zone_names[i].name, len) == 0 && had_number)
		{
			found->has_zone = true;
			found->offset_ms = zone_names[i].hours * 3600000.0;
			return true;
		}
	return !had_number;			/* a name of a day, or anything, before the first number */
}

/* +0200, +02:00, +2 after a time or a zone's name. */
static bool
loose_offset(Scan *scan, Loose *found)
{
	int			sign = scan->s[scan->at++] == '-' ? -1 : 1;
	uint32		from = scan->at;
	int			value = 0;
	int			minutes = 0;
	uint32		n;

	while (isdigit(next_char(scan)) && scan->at - from < 5)
		value = value * 10 + (scan->s[scan->at++] - '0');
	n = scan->at - from;
	if (n == 0 || n > 4)
		return false;
	if (n > 2)
	{
		minutes = value % 100;
		value /= 100;
	}
	else if (take(scan, ':'))
	{
		minutes = digits(scan, 2);
		if (minutes < 0)
			return false;
	}
	found->has_zone = true;
	found->offset_ms = sign * (value * 3600000.0 + minutes * 60000.0);
	return true;
}

static bool
loose_number(Scan *scan, Loose *found)
{
	uint32		from = scan->at;
	int64		value = 0;
	uint32		n;

	while (isdigit(next_char(scan)) && scan->at - from < 9)
		value = value * 10 + (scan->s[scan->at++] - '0');
	n = scan->at - from;
	if (isdigit(next_char(scan)))
		return false;
	if (next_char(scan) == ':' && !found->has_time && n <= 2)
	{
		found->has_time = true;
		found->time[found->n_time++] = (int) value;
		while (take(scan, ':'))
		{
			int			part;

			if (found->n_time >= 3 || !isdigit(next_char(scan)))
				return false;
			part = scan->s[scan->at++] - '0';
			if (isdigit(next_char(scan)))
				part = part * 10 + (scan->s[scan->at++] - '0');
			found->time[found->n_time++] = part;
		}
		if (found->n_time == 3 && next_char(scan) == '.')
		{
			int			unit = 100;

			for (scan->at++; isdigit(next_char(scan)); scan->at++, unit /= 10)
				found->time[3] += (scan->s[scan->at] - '0') * unit;
		}
		return true;
	}
	if (found->n_day >= 3)
		return false;
	if (found->n_day == 0)
		found->iso_order = n >= 3;
	found->day[found->n_day++] = (int) value;
	while (next_char(scan) == '-' || next_char(scan) == '/' || next_char(scan) == '.' || next_char(scan) == ',')
	{
		/* a minus before digits after all parts of a date is an offset */
		if (next_char(scan) == '-' && found->n_day == 3)
			break;
		scan->at++;
		break;
	}
	return true;
}

/* Puts year, month and day in their places; false when they cannot be. */
static bool
loose_day(const Loose *found, int *year, int *month, int *day)
{
	const int  *d = found->day;

	*year = 2001;
	*day = 1;
	if (found->month > 0)
	{
		*month = found->month;
		if (found->n_day == 1)
		{
			if (d[0] >= 1 && d[0] <= 31)
				*day = d[0];
			else
				*year = d[0];
		}
		else if (found->n_day >= 2 && d[0] >= 1 && d[0] <= 31)
		{
			*day = d[0];
			*year = d[1];
		}
		else if (found->n_day >= 2)
		{
			*year = d[0];
			*day = d[1];
		}
		else
			return false;
	}
	else if (found->n_day == 3 && (found->iso_order || d[0] > 31))
	{
		*year = d[0];
		*month = d[1];
		*day = d[2];
	}
	else if (found->n_day == 3)
	{
		*month = d[0];
		*day = d[1];
		*year = d[2];
	}
	else if (found->n_day == 2)
	{
		*month = found->iso_order ? d[1] : d[0];
		if (found->iso_order || d[1] > 31)
			*year = found->iso_order ? d[0] : d[1];
		else
			*day = d[1];
	}
	else if (found->n_day == 1)
		*month = d[0];
	else
		return false;
	if (*year >= 0 && *year < 50 && !found->iso_order)
		*year += 2000;
	else if (*year >= 50 && *year < 100 && !found->iso_order)
		*year += 1900;
	return *month >= 1 && *month <= 12 && *day >= 1 && *day <= 31;
}

/* The tolerant forms that V8 reads: `Mar 5, 2024 10:11 PM`, `3/5/2024`, RFC 2822. */
static double
parse_loose(const char *s, uint32 len, pg_tz *zone)
{
	Scan		scan = {s, len, 0};
	Loose		found = {0};
	bool		had_number = false;
	int			year;
	int			month;
	int			day;
	double		ms;

	while (scan.at < len)
	{
		int			c = next_char(&scan);
		bool		good = true;

		if (c == '(')
		{
			int			depth = 0;

			do
			{
				depth += s[scan.at] == '(' ? 1 : s[scan.at] == ')' ? -1 : 0;
				scan.at++;
			} while (depth > 0 && scan.at < len);
		}
		else if (isalpha(c))
			good = loose_word(&scan, &found, had_number);
		else if (isdigit(c))
		{
			good = loose_number(&scan, &found);
			had_number = true;
		}
		else if ((c == '+' || c == '-') && (found.has_time || found.has_zone))
			good = loose_offset(&scan, &found);
		else if (c == '+' || c == ':' || c >= 0x80)
			good = had_number == false && c != ':';
		if (!good)
			return NAN;
		if (!(isalpha(c) || isdigit(c) || c == '(' || ((c == '+' || c == '-') && found.has_zone)))
			scan.at++;
	}
	if (!loose_day(&found, &year, &month, &day))
		return NAN;
	if (found.has_time)
	{
		if (found.pm > 0 && (found.time[0] < 1 || found.time[0] > 12))
		{
			if (found.time[0] != 0)
				return NAN;
		}
		if (found.pm > 0)
			found.time[0] = found.time[0] % 12 + (found.pm == 2 ? 12 : 0);
		if (found.n_time < 2 || found.time[0] > 24 || found.time[1] > 59 || found.time[2] > 59)
			return NAN;
	}
	ms = wf_expr_make_day(year, month - 1, day) * MS_PER_DAY + found.time[0] * 3600000.0 + found.time[1] * 60000.0 +
		found.time[2] * 1000.0 + found.time[3];
	return wf_expr_clip(found.has_zone ? ms - found.offset_ms : wf_expr_from_local(ms, zone));
}

/* Date.parse; NaN when it is no date. */
double
wf_expr_parse_date(const char *text, uint32 len, pg_tz *zone)
{
	double		ms;

	if (parse_iso(text, len, zone, &ms))
		return ms;
	return parse_loose(text, len, zone);
}
