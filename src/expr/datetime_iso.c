/*
 * datetime_iso.c: DateTime.fromISO: dates of ISO 8601 in all its forms: calendar, week and ordinal dates, extended and
 * compact, and times down to hours alone. What a form lacks is filled in, so that what Date reads (date_parse.c)
 * does the rest; unlike Date, a day that its month lacks is no date, and a date alone is local.
 */
#include "postgres.h"

#include <math.h>

#include "expr/calendar.h"

/* The number that exactly `n` digits are; -1 when they are not there. */
static int
digits(const char **s, int n)
{
	int			value = 0;

	for (int i = 0; i < n; i++)
	{
		if ((*s)[i] < '0' || (*s)[i] > '9')
			return -1;
		value = value * 10 + (*s)[i] - '0';
	}
	*s += n;
	return value;
}

static int
count_digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* Day `day` (1 to 7) of an ISO week, in days since 1970. */
double
wf_expr_day_of_week(double year, double week, double day)
{
	double		fourth = wf_expr_make_day(year, 0, 4);
	double		weekday = fmod(fmod(fourth + 3, 7) + 7, 7);	/* 0: Monday */

	return fourth - weekday + (week - 1) * 7 + day - 1;
}

/* Reads a date in any form, in days since 1970; NaN when there is none. */
static double
read_day(const char **s)
{
	int			year = digits(s, 4);
	bool		extended = **s == '-';
	int			month;
	int			day = 1;

	if (year < 0)
		return NAN;
	if (extended)
		(*s)++;
	if (**s == 'W')
	{
		(*s)++;
		month = digits(s, 2);
		if (**s == '-' && extended)
			(*s)++;
		if (count_digits(*s) == 1)
			day = digits(s, 1);
		return month >= 1 && month <= 53 && day >= 1 && day <= 7 ? wf_expr_day_of_week(year, month, day) : NAN;
	}
	if (count_digits(*s) == 3)
	{
		day = digits(s, 3);
		return day >= 1 && day <= 365 + (wf_expr_days_in_month(year, 2) == 29) ? wf_expr_make_day(year, 0, day) : NAN;
	}
	if (!extended && (**s == '\0' || **s == 'T'))
		return wf_expr_make_day(year, 0, 1);
	month = digits(s, 2);
	if (**s == '-' && extended)
	{
		(*s)++;
		day = digits(s, 2);
	}
	else if (!extended)
		day = digits(s, 2);
	if (month < 1 || month > 12 || day < 1 || day > wf_expr_days_in_month(year, month))
		return NAN;
	return wf_expr_make_day(year, month - 1, day);
}

/* The time behind T in extended form, with minutes and the offset as it is; false when it is none. */
static bool
read_time(const char *s, char *out, Size room)
{
	int			hour = digits(&s, 2);
	int			minute = 0;
	int			second = 0;

	if (hour >= 0 && (*s == ':' || count_digits(s) >= 2))
	{
		bool		extended = *s == ':';

		s += extended;
		minute = digits(&s, 2);
		if (extended ? *s == ':' : count_digits(s) >= 2)
		{
			s += extended;
			second = digits(&s, 2);
		}
	}
	if (hour < 0 || minute < 0 || second < 0)
		return false;
	snprintf(out, room, "T%02d:%02d:%02d%s", hour, minute, second, s);
	for (char *c = out; *c != '\0'; c++)
		if (*c == ',')
			*c = '.';
	return true;
}

/* The zone that an offset at the end names: "+05:30", "Z"; NULL when there is none. */
static pg_tz *
zone_at_end(WfEval *ev, const char *time)
{
	const char *sign = strpbrk(time, "+-");
	char		name[16];
	int			hours;
	int			minutes = 0;
	WfValue		text;

	if (time[strlen(time) - 1] == 'Z')
		strlcpy(name, "UTC", sizeof(name));
	else if (sign != NULL && sscanf(sign + 1, strchr(sign, ':') ? "%2d:%2d" : "%2d%2d", &hours, &minutes) >= 1)
		snprintf(name, sizeof(name), "UTC%c%d:%02d", *sign, hours, minutes);
	else
		return NULL;
	set_string(&text, name, strlen(name), 0);
	return wf_expr_zone(ev, &text);
}

/*
 * The instant that an ISO text means in *zone, NaN for none. With `keep_zone` *zone becomes that of the text's own
 * offset. Texts of no form of ISO are read as Date does.
 */
double
wf_expr_parse_iso(WfEval *ev, const WfValue *text, bool keep_zone, pg_tz **zone)
{
	const char *source = wf_expr_cstring(ev, text);
	const char *s = source;
	char		whole[96];
	char		time[64] = "";
	double		day = read_day(&s);
	pg_tz	   *own;
	WfCivil		c;

	if (isnan(day) && s > source + 4 && (*s == '\0' || *s == 'T' || *s == ' '))
		return NAN;				/* a date that does not exist */
	if (!isnan(day) && *s == '\0')
		return wf_expr_from_local(day * MS_PER_DAY, *zone);
	if (isnan(day) || *s != 'T' || !read_time(s + 1, time, sizeof(time)))
		return wf_expr_parse_date(text->u.str, text->len, *zone);
	own = keep_zone ? zone_at_end(ev, time) : NULL;
	wf_expr_civil(day * MS_PER_DAY, NULL, &c);
	snprintf(whole, sizeof(whole), "%04.0f-%02d-%02d%s", c.year, c.month, c.day, time);
	day = wf_expr_parse_date(whole, strlen(whole), *zone);
	if (own != NULL)
		*zone = own;
	return day;
}
