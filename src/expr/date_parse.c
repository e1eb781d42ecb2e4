/*
 * date_parse.c: Date.parse: ECMAScript's ISO 8601, and failing that the tolerant forms that V8 reads.
 *
 * The tolerant reader takes the text as words, numbers and signs. Numbers followed by a colon are of
 * the time, others of the date; a word is a month, AM or PM, a zone, or of no meaning before the first
 * number. Dates of numbers alone are month, day, year, unless the first cannot be a month's day.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "expr/calendar.h"

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
				int			unit = 100;

				scan.at++;
				if (!isdigit(next_char(&scan)))
					return false;
				for (; isdigit(next_char(&scan)); scan.at++, unit /= 10)
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
	int			day[3];			/* numbers of the date, in their order */
	int			n_day;
	int			month;			/* by name; 0: none */
	int			time[4];
	int			n_time;			/* 4: nothing more may come */
	int			half;			/* hours that AM (0) or PM (12) adds; -1: none */
	bool		had_number;
	int			zone_sign;		/* 0: local time */
	int			zone_hour;
	int			zone_minute;	/* -1: comes next */
} Loose;

static const struct
{
	const char *name;
	int			hours;
}			zone_names[] = {{"ut", 0}, {"utc", 0}, {"z", 0}, {"gmt", 0}, {"est", -5}, {"edt", -4}, {"cst", -6},
{"cdt", -5}, {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}};

static bool
is_word_char(int c)
{
	return c >= 'A';			/* letters, and all beyond ASCII */
}

static bool
loose_word(Scan *scan, Loose *found)
{
	const char *word = scan->s + scan->at;
	uint32		len = 0;

	while (is_word_char(next_char(scan)))
	{
		scan->at++;
		len++;
	}
	if (found->n_time > 0 && len == 2 && (word[1] | 0x20) == 'm' && ((word[0] | 0x20) == 'a' || (word[0] | 0x20) == 'p'))
	{
		found->half = (word[0] | 0x20) == 'p' ? 12 : 0;
		return true;
	}
	if (wf_expr_month_by_name(word, len))
	{
		found->month = wf_expr_month_by_name(word, len);
		take(scan, '-');
		return true;
	}
	for (int i = 0; found->had_number && i < lengthof(zone_names); i++)
		if (strlen(zone_names[i].name) == len && pg_strncasecmp(word, zone_names[i].name, len) == 0)
		{
			found->zone_sign = zone_names[i].hours < 0 ? -1 : 1;
			found->zone_hour = abs(zone_names[i].hours);
			found->zone_minute = 0;
			return true;
		}
	/* any word will do before the first number, but not right before it */
	return !found->had_number && !isdigit(next_char(scan));
}

/* Digits as a number; those beyond nine change it no more. `len`: how many there were. */
static int
loose_digits(Scan *scan, int *len)
{
	int			value = 0;
	int			significant = 0;

	for (*len = 0; isdigit(next_char(scan)); (*len)++, scan->at++)
		if ((significant > 0 || next_char(scan) != '0') && ++significant <= 9)
			value = value * 10 + (next_char(scan) - '0');
	return value;
}

/* The number is the next of the time: a minute, a second, milliseconds. */
static bool
expects_time(const Loose *found, int value)
{
	return (found->n_time == 1 && value < 60) || (found->n_time == 2 && value < 60) ||
		(found->n_time == 3 && value < 1000);
}

static bool
loose_number(Scan *scan, Loose *found)
{
	int			len;
	int			value = loose_digits(scan, &len);
	int			c;

	found->had_number = true;
	if (take(scan, ':'))
	{
		if (found->n_time >= 4)
			return false;
		found->time[found->n_time++] = value;
		take(scan, '.');
		return true;
	}
	if (next_char(scan) == '.' && expects_time(found, value))
	{
		int			fraction = 0;
		int			unit = 100;

		scan->at++;
		found->time[found->n_time++] = value;
		if (!isdigit(next_char(scan)))
			return false;
		for (; isdigit(next_char(scan)); scan->at++, unit /= 10)
			fraction += (next_char(scan) - '0') * unit;
		found->time[3] = found->n_time < 4 ? fraction : found->time[3];
		found->n_time = 4;
		return true;
	}
	take(scan, '.');
	if (found->zone_sign != 0 && found->zone_minute < 0 && value < 60)
		found->zone_minute = value;
	else if (expects_time(found, value))
	{
		found->time[found->n_time] = value;
		found->n_time = 4;
		c = next_char(scan);
		return c < 0 || wf_expr_is_space(c) || c == 'Z' || c == 'z' || c == '+' || c == '-';
	}
	else
	{
		if (found->n_day >= 3)
			return false;
		found->day[found->n_day++] = value;
		take(scan, '-');
	}
	return true;
}

/* An offset after a time or UTC; elsewhere a sign is right before the first number only. */
static bool
loose_sign(Scan *scan, Loose *found)
{
	int			sign = scan->s[scan->at++] == '-' ? -1 : 1;
	int			len = 0;
	int			value;

	if (found->n_time == 0 && !(found->zone_sign != 0 && found->zone_hour == 0 && found->zone_minute == 0))
		return !found->had_number;
	value = loose_digits(scan, &len);
	found->had_number = true;
	found->zone_sign = sign;
	if (take(scan, ':'))
	{
		found->zone_hour = value;
		found->zone_minute = -1;
	}
	else if (len == 1 || len == 2)
	{
		found->zone_hour = value;
		found->zone_minute = 0;
	}
	else if (len == 3 || len == 4)
	{
		found->zone_hour = value / 100;
		found->zone_minute = value % 100;
	}
	else
		return false;
	return true;
}

/* Puts year, month and day in their places; false when they cannot be. */
static bool
loose_day(const Loose *found, int *year, int *month, int *day)
{
	int			d[3] = {1, 1, 1};
	bool		begins_with_day;

	if (found->n_day == 0)
		return false;
	memcpy(d, found->day, found->n_day * sizeof(int));
	begins_with_day = d[0] >= 1 && d[0] <= 31;
	if (found->month > 0)
	{
		*month = found->month;
		*day = begins_with_day ? d[0] : d[1];
		*year = begins_with_day ? d[1] : d[0];
	}
	else
	{
		*year = begins_with_day ? d[2] : d[0];
		*month = begins_with_day ? d[0] : d[1];
		*day = begins_with_day ? d[1] : d[2];
	}
	if (*year < 50)
		*year += 2000;
	else if (*year < 100)
		*year += 1900;
	return *month >= 1 && *month <= 12 && *day >= 1 && *day <= 31;
}

static bool
loose_time(Loose *found)
{
	int		   *t = found->time;

	if (found->half >= 0)
	{
		if (t[0] > 12)
			return false;
		t[0] = t[0] % 12 + found->half;
	}
	if (t[0] == 24)
		return t[1] == 0 && t[2] == 0 && t[3] == 0;
	return t[0] < 24 && t[1] < 60 && t[2] < 60 && t[3] < 1000;
}

static void
skip_parentheses(Scan *scan)
{
	int			depth = 0;

	do
	{
		depth += next_char(scan) == '(' ? 1 : next_char(scan) == ')' ? -1 : 0;
		scan->at++;
	} while (depth > 0 && scan->at < scan->len);
}

/* The tolerant forms that V8 reads: `Mar 5, 2024 10:11 PM`, `3/5/2024`, RFC 2822. */
static double
parse_loose(const char *s, uint32 len, pg_tz *zone)
{
	Scan		scan = {s, len, 0};
	Loose		found = {.half = -1};
	int			year;
	int			month;
	int			day;
	double		ms;

	while (scan.at < len)
	{
		int			c = next_char(&scan);
		int			size;
		bool		good = true;

		if (c == '(')
			skip_parentheses(&scan);
		else if (wf_expr_is_space(wf_expr_decode(s + scan.at, s + len, &size)))
			scan.at += size;
		else if (is_word_char(c))
			good = loose_word(&scan, &found);
		else if (isdigit(c))
			good = loose_number(&scan, &found);
		else if (c == '+' || c == '-')
			good = loose_sign(&scan, &found);
		else
		{
			good = c != ')' || !found.had_number;
			scan.at++;
		}
		if (!good)
			return NAN;
	}
	if (!loose_day(&found, &year, &month, &day) || !loose_time(&found))
		return NAN;
	ms = wf_expr_make_day(year, month - 1, day) * MS_PER_DAY + found.time[0] * 3600000.0 + found.time[1] * 60000.0 +
		found.time[2] * 1000.0 + found.time[3];
	if (found.zone_sign == 0)
		return wf_expr_clip(wf_expr_from_local(ms, zone));
	return wf_expr_clip(ms - found.zone_sign * (found.zone_hour * 3600000.0 + Max(found.zone_minute, 0) * 60000.0));
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

/* Is the day one that its month has? Of `2024-02-30`, which Date.parse takes as a day of March. */
static bool
day_exists(const char *text)
{
	int			year;
	int			month;
	int			day;

	return sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3 || day <= wf_expr_days_in_month(year, month);
}

bool
wf_expr_parse_time(const char *text, TimestampTz *out)
{
	int			len = strlen(text);
	char		iso[64];
	double		ms;

	if (len < 4 || len > (int) sizeof(iso) - 4)
		return false;
	strlcpy(iso, text, sizeof(iso));
	if (len > 10 && iso[10] == ' ')
		iso[10] = 'T';
	if (len > 16 && (iso[len - 3] == '+' || iso[len - 3] == '-'))
		strlcat(iso, ":00", sizeof(iso));	/* timestamptz as text: an offset of whole hours */
	if (!parse_iso(iso, strlen(iso), session_timezone, &ms) || isnan(ms) || !day_exists(iso))
		return false;
	*out = (TimestampTz) rint((ms - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * MS_PER_DAY) * 1000.0);
	return IS_VALID_TIMESTAMP(*out);
}
