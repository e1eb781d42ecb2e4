/*
 * datetime_format.c: Luxon's patterns: toFormat and fromFormat.
 *
 * Tokens are runs of the same letter; text between single quotes, and characters that are no token,
 * stand for themselves. Names are English. `YYYY` and `DD`, which people bring from other libraries,
 * mean what they mean in Luxon: YYYY is text, DD a localised date.
 */
#include "postgres.h"

#include <math.h>

#include "expr/calendar.h"
#include "utils/timestamp.h"

typedef struct Formatter
{
	WfBuffer	buffer;
	WfCivil		c;
	double		ms;
	pg_tz	   *zone;
} Formatter;

static void
put(Formatter *f, const char *fmt, ...) pg_attribute_printf(2, 3);

static void
put(Formatter *f, const char *fmt, ...)
{
	char		text[128];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buffer_bytes(&f->buffer, text, strlen(text));
}

/* narrow +2, short +02:00, techie +0200 */
static void
put_offset(Formatter *f, int form)
{
	int			minutes = abs(f->c.offset) / 60;
	char		sign = f->c.offset < 0 ? '-' : '+';

	if (form == 1)
	{
		put(f, "%c%d", sign, minutes / 60);
		if (minutes % 60)
			put(f, ":%02d", minutes % 60);
	}
	else
		put(f, form == 2 ? "%c%02d:%02d" : "%c%02d%02d", sign, minutes / 60, minutes % 60);
}

static void
put_meridiem_time(Formatter *f, bool seconds)
{
	const WfCivil *c = &f->c;

	put(f, "%d:%02d", (c->hour + 11) % 12 + 1, c->minute);
	if (seconds)
		put(f, ":%02d", c->second);
	put(f, " %s", c->hour < 12 ? "AM" : "PM");
}

/* The zone as the longer forms name it: 1: its abbreviation; long names are not known here. */
static void
put_zone_name(Formatter *f, int form)
{
	if (form == 1)
		put(f, " %s", f->c.zone);
	else if (form > 1)
		wf_expr_throw_hint(f->buffer.ev, "Use z, ZZ or ZZZZ.", "long names of time zones are not available");
}

/* D, DD, ... and f, ff, F, t, T: English forms. */
static bool
put_macro(Formatter *f, char letter, int n)
{
	const WfCivil *c = &f->c;
	const char *month = wf_expr_month_names[c->month - 1];

	switch (letter)
	{
		case 'D':
			if (n == 1)
				put(f, "%d/%d/%.0f", c->month, c->day, c->year);
			else if (n == 2)
				put(f, "%.3s %d, %.0f", month, c->day, c->year);
			else if (n == 3)
				put(f, "%s %d, %.0f", month, c->day, c->year);
			else
				put(f, "%s, %s %d, %.0f", wf_expr_weekday_names[c->weekday], month, c->day, c->year);
			return n <= 4;
		case 't':
			put_meridiem_time(f, n > 1);
			put_zone_name(f, n - 2);
			return n <= 4;
		case 'T':
			put(f, "%02d:%02d", c->hour, c->minute);
			if (n > 1)
				put(f, ":%02d", c->second);
			put_zone_name(f, n - 2);
			return n <= 4;
		case 'f':
		case 'F':
			put_macro(f, 'D', n);
			put(f, n >= 3 ? " at " : ", ");
			put_meridiem_time(f, letter == 'F');
			put_zone_name(f, n - 2);
			return n <= 4;
		case 'n':
		case 'i':
			wf_expr_throw_hint(f->buffer.ev, "Use W or kkkk, which are those of ISO.", "weeks of a locale are not available (token \"%c\")", letter);
		default:
			return false;
	}
}

/* Tokens that are numbers: false when it is none of them. */
static bool
put_number(Formatter *f, char letter, int n)
{
	const WfCivil *c = &f->c;
	double		week_year = 0;
	int			week;

	switch (letter)
	{
		case 'S':
			put(f, n >= 3 ? "%03d" : "%d", c->ms);
			return n == 1 || n == 3;
		case 'u':
			if (n == 1)
				put(f, "%03d", c->ms);
			else if (n == 2)
				put(f, "%02d", c->ms / 10);
			else
				put(f, "%d", c->ms / 100);
			return n <= 3;
		case 's':
			put(f, n == 2 ? "%02d" : "%d", c->second);
			return n <= 2;
		case 'm':
			put(f, n == 2 ? "%02d" : "%d", c->minute);
			return n <= 2;
		case 'h':
			put(f, n == 2 ? "%02d" : "%d", (c->hour + 11) % 12 + 1);
			return n <= 2;
		case 'H':
			put(f, n == 2 ? "%02d" : "%d", c->hour);
			return n <= 2;
		case 'd':
			put(f, n == 2 ? "%02d" : "%d", c->day);
			return n <= 2;
		case 'y':
			if (n == 2)
				put(f, "%02d", (int) fmod(fabs(c->year), 100));
			else
				put(f, n == 1 ? "%.0f" : n == 4 ? "%04.0f" : "%06.0f", c->year);
			return n == 1 || n == 2 || n == 4 || n == 6;
		case 'k':
			wf_expr_week(c, &week_year);
			if (n == 2)
				put(f, "%02d", (int) fmod(fabs(week_year), 100));
			else
				put(f, "%04.0f", week_year);
			return n == 2 || n == 4;
		case 'W':
			week = wf_expr_week(c, &week_year);
			put(f, n == 2 ? "%02d" : "%d", week);
			return n <= 2;
		case 'o':
			put(f, n == 3 ? "%03d" : "%d", wf_expr_day_of_year(c));
			return n == 1 || n == 3;
		case 'q':
			put(f, n == 2 ? "%02d" : "%d", (c->month - 1) / 3 + 1);
			return n <= 2;
		case 'X':
			put(f, "%.0f", floor(f->ms / 1000));
			return n == 1;
		case 'x':
			put(f, "%.0f", f->ms);
			return n == 1;
		default:
			return false;
	}
}

/* Tokens that are names. */
static bool
put_name(Formatter *f, char letter, int n)
{
	const WfCivil *c = &f->c;
	const char *name;

	switch (letter)
	{
		case 'E':
		case 'c':
			name = wf_expr_weekday_names[c->weekday];
			if (n == 1)
				put(f, "%d", (c->weekday + 6) % 7 + 1);
			else
				put(f, "%.*s", n == 3 ? 3 : n == 5 ? 1 : 9, name);
			return n == 1 || (n >= 3 && n <= 5);
		case 'M':
		case 'L':
			name = wf_expr_month_names[c->month - 1];
			if (n <= 2)
				put(f, n == 2 ? "%02d" : "%d", c->month);
			else
				put(f, "%.*s", n == 3 ? 3 : n == 5 ? 1 : 9, name);
			return n <= 5;
		case 'a':
			put(f, "%s", c->hour < 12 ? "AM" : "PM");
			return n == 1;
		case 'G':
			put(f, "%s", n == 5 ? (c->year > 0 ? "A" : "B") : n == 2 ? (c->year > 0 ? "Anno Domini" : "Before Christ") :
				c->year > 0 ? "AD" : "BC");
			return n == 1 || n == 2 || n == 5;
		case 'Z':
			if (n <= 3)
				put_offset(f, n);
			else if (n == 4)
				put(f, "%s", c->zone);
			else
				put_zone_name(f, 2);
			return n <= 5;
		case 'z':
			put(f, "%s", pg_get_timezone_name(f->zone));
			return n == 1;
		default:
			return put_macro(f, letter, n);
	}
}

void
wf_expr_format_moment(WfEval *ev, double ms, pg_tz *zone, const WfValue *pattern, WfValue *out)
{
	Formatter	f = {.ms = ms,.zone = zone};
	const char *p = pattern->u.str;
	const char *end = p + pattern->len;

	if (isnan(ms))
	{
		set_literal(out, "Invalid DateTime");
		return;
	}
	wf_expr_civil(ms, zone, &f.c);
	wf_expr_buffer_begin(&f.buffer, ev);
	while (p < end)
	{
		Size		before = f.buffer.len;
		int			n = 1;

		wf_expr_spend(ev, 1);
		if (*p == '\'')
		{
			const char *close = memchr(p + 1, '\'', end - p - 1);
			const char *stop = close ? close : end;

			if (close == p + 1)
				buffer_char(&f.buffer, '\'');
			buffer_bytes(&f.buffer, p + 1, stop - p - 1);
			p = close ? close + 1 : end;
			continue;
		}
		while (p + n < end && p[n] == p[0] && n < 10)
			n++;
		if (!put_number(&f, *p, n) && (f.buffer.len = before, !put_name(&f, *p, n)))
		{
			f.buffer.len = before;
			buffer_bytes(&f.buffer, p, n);
		}
		p += n;
	}
	wf_expr_buffer_end(&f.buffer, out);
}

/* -- reading after a pattern -- */

typedef struct Parsed
{
	double		year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			ms;
	int			meridiem;		/* 1: AM, 2: PM */
	bool		has_offset;
	double		offset_ms;
	double		instant;		/* X or x; else NaN */
} Parsed;

static bool
read_digits(const char **s, const char *end, int least, int most, double *out)
{
	int			n = 0;

	*out = 0;
	while (*s < end && n < most && **s >= '0' && **s <= '9')
	{
		*out = *out * 10 + (**s - '0');
		(*s)++;
		n++;
	}
	return n >= least;
}

static bool
read_offset(const char **s, const char *end, Parsed *parsed)
{
	int			sign;
	double		hours;
	double		minutes = 0;

	if (*s < end && (**s == 'Z' || **s == 'z'))
	{
		(*s)++;
		parsed->has_offset = true;
		return true;
	}
	if (*s >= end || (**s != '+' && **s != '-'))
		return false;
	sign = **s == '-' ? -1 : 1;
	(*s)++;
	if (!read_digits(s, end, 1, 2, &hours))
		return false;
	if (*s < end && **s == ':')
		(*s)++;
	if (*s < end && **s >= '0' && **s <= '9' && !read_digits(s, end, 2, 2, &minutes))
		return false;
	parsed->has_offset = true;
	parsed->offset_ms = sign * (hours * 3600000 + minutes * 60000);
	return true;
}

static bool
read_name(const char **s, const char *end, const char *const *names, int n_names, int letters, int *out)
{
	for (int i = 0; i < n_names; i++)
	{
		int			len = letters > 0 ? letters : (int) strlen(names[i]);

		if (end - *s >= len && pg_strncasecmp(*s, names[i], len) == 0)
		{
			*s += len;
			*out = i + 1;
			return true;
		}
	}
	return false;
}

/* One token; false when the text does not fit it. */
static bool
read_token(const char **s, const char *end, char letter, int n, Parsed *parsed)
{
	double		value = 0;
	int			ignored;
	bool		good;

	switch (letter)
	{
		case 'y':
			good = read_digits(s, end, n == 1 ? 1 : n, n == 1 ? 6 : n, &parsed->year);
			if (n == 2)
				parsed->year += parsed->year > 60 ? 1900 : 2000;
			return good;
		case 'M':
		case 'L':
			if (n >= 3)
				return read_name(s, end, wf_expr_month_names, 12, n == 3 ? 3 : 0, &parsed->month);
			good = read_digits(s, end, n, 2, &value);
			parsed->month = (int) value;
			return good;
		case 'd':
			good = read_digits(s, end, n, 2, &value);
			parsed->day = (int) value;
			return good;
		case 'H':
		case 'h':
			good = read_digits(s, end, n, 2, &value);
			parsed->hour = (int) value;
			return good;
		case 'm':
			good = read_digits(s, end, n, 2, &value);
			parsed->minute = (int) value;
			return good;
		case 's':
			good = read_digits(s, end, n, 2, &value);
			parsed->second = (int) value;
			return good;
		case 'S':
			good = read_digits(s, end, n, 3, &value);
			parsed->ms = (int) value;
			return good;
		case 'a':
			if (end - *s < 2 || ((*s)[1] | 0x20) != 'm')
				return false;
			parsed->meridiem = ((*s)[0] | 0x20) == 'p' ? 2 : 1;
			*s += 2;
			return true;
		case 'E':
		case 'c':
			return read_name(s, end, wf_expr_weekday_names, 7, n == 3 ? 3 : 0, &ignored);
		case 'Z':
			return read_offset(s, end, parsed);
		case 'X':
		case 'x':
			good = read_digits(s, end, 1, 15, &value);
			parsed->instant = value * (letter == 'X' ? 1000 : 1);
			return good;
		default:
			return false;
	}
}

/* The instant that a text means by a pattern; NaN when it does not fit. */
double
wf_expr_parse_moment(WfEval *ev, const WfValue *text, const WfValue *pattern, pg_tz *zone)
{
	Parsed		parsed = {.year = 1970,.month = 1,.day = 1,.instant = NAN};
	const char *s = text->u.str;
	const char *end = s + text->len;
	const char *p = pattern->u.str;
	const char *p_end = p + pattern->len;
	double		ms;

	while (p < p_end)
	{
		int			n = 1;

		if (*p == '\'')
		{
			for (p++; p < p_end && *p != '\''; p++)
				if (s >= end || *s++ != *p)
					return NAN;
			p++;
			continue;
		}
		while (p + n < p_end && p[n] == p[0])
			n++;
		if (strchr("yMLdHhmsSaEcZXx", *p))
		{
			if (!read_token(&s, end, *p, n, &parsed))
				return NAN;
		}
		else if (end - s < n || memcmp(s, p, n) != 0)
			return NAN;
		else
			s += n;
		p += n;
	}
	if (s != end)
		return NAN;
	if (!isnan(parsed.instant))
		return parsed.instant;
	if (parsed.meridiem > 0)
	{
		if (parsed.hour < 1 || parsed.hour > 12)
			return NAN;
		parsed.hour = parsed.hour % 12 + (parsed.meridiem == 2 ? 12 : 0);
	}
	if (parsed.month < 1 || parsed.month > 12 || parsed.day < 1 ||
		parsed.day > wf_expr_days_in_month(parsed.year, parsed.month) || parsed.hour > 24 || parsed.minute > 59 ||
		parsed.second > 59)
		return NAN;
	ms = wf_expr_make_day(parsed.year, parsed.month - 1, parsed.day) * MS_PER_DAY + parsed.hour * 3600000.0 +
		parsed.minute * 60000.0 + parsed.second * 1000.0 + parsed.ms;
	return parsed.has_offset ? ms - parsed.offset_ms : wf_expr_from_local(ms, zone);
}
