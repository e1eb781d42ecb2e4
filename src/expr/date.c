/*
 * date.c: JavaScript's Date.
 *
 * A Date is a number of milliseconds of its own; setters change it in place. Local time is that of
 * the session's TimeZone.
 */
#include "postgres.h"

#include <math.h>

#include "base/clock.h"
#include "expr/calendar.h"
#include "pgtime.h"
#include "utils/timestamp.h"

void
wf_expr_new_date(WfEval *ev, double ms, WfValue *out)
{
	double	   *cell = wf_expr_alloc(ev, sizeof(double));

	*cell = wf_expr_clip(ms);
	out->tag = WF_V_DATE;
	out->flags = 0;
	out->len = 0;
	out->u.ms = cell;
}

double
wf_expr_clock_ms(void)
{
	return floor((double) wf_clock_now() / 1000.0) + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * MS_PER_DAY;
}

static double
this_ms(WfEval *ev, const WfValue *self)
{
	if (self->tag == WF_V_DATE)
		return *self->u.ms;
	if (self->tag == WF_V_DATETIME)
		return wf_expr_moment_ms(self->u.moment);
	wf_expr_throw(ev, "this is a method of dates, not of %s", wf_expr_kind_name(self));
}

/* The instant of a Date, a date-time, a number of milliseconds or a text. */
double
wf_expr_to_ms(WfEval *ev, const WfValue *value)
{
	WfValue		primitive;

	if (value->tag == WF_V_DATE || value->tag == WF_V_DATETIME)
		return this_ms(ev, value);
	wf_expr_to_primitive(ev, value, 'd', &primitive);
	if (WF_IS_STRING(&primitive))
		return wf_expr_parse_date(primitive.u.str, primitive.len, session_timezone);
	return wf_expr_clip(wf_expr_to_number(ev, &primitive));
}

/* -- Date -- */

/* Year, month, day, ... as local or UTC; years 0 to 99 are of the last century. */
static double
from_parts(WfEval *ev, int argc, WfValue *argv, pg_tz *zone)
{
	double		part[7] = {NAN, 0, 1, 0, 0, 0, 0};
	double		ms;

	for (int i = 0; i < Min(argc, 7); i++)
		part[i] = trunc(wf_expr_to_number(ev, &argv[i]));
	if (part[0] >= 0 && part[0] <= 99)
		part[0] += 1900;
	ms = wf_expr_make_day(part[0], part[1], part[2]) * MS_PER_DAY + part[3] * 3600000.0 + part[4] * 60000.0 +
		part[5] * 1000.0 + part[6];
	if (fabs(ms) > 1e17)
		return NAN;
	return wf_expr_clip(wf_expr_from_local(ms, zone));
}

static void
date_construct(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (argc == 0)
		wf_expr_new_date(ev, wf_expr_clock_ms(), out);
	else if (argc == 1)
		wf_expr_new_date(ev, wf_expr_to_ms(ev, &argv[0]), out);
	else
		wf_expr_new_date(ev, from_parts(ev, argc, argv, session_timezone), out);
}

/* Date() as a function gives the text of now. */
static void
date_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		now;

	wf_expr_new_date(ev, wf_expr_clock_ms(), &now);
	wf_expr_date_text(ev, &now, 's', out);
}

static void
date_now(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, wf_expr_clock_ms());
}

static void
date_parse(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;

	wf_expr_to_string(ev, ARG(0), &text);
	set_number(out, wf_expr_parse_date(text.u.str, text.len, session_timezone));
}

static void
date_utc(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, from_parts(ev, argc, argv, NULL));
}

static const WfBuiltin date_functions[] = {
	{"now", date_now, 0},
	{"parse", date_parse, 1},
	{"UTC", date_utc, 7},
	{NULL}
};

const WfNamespace wf_expr_date_space = {
	.name = "Date",.functions = date_functions,.call = date_call,.construct = date_construct,.length = 7
};

/* -- texts -- */

static void
year_text(double year, char *buf, int size)
{
	snprintf(buf, size, year < 0 ? "-%04.0f" : "%04.0f", fabs(year));
}

/*
 * form: 's'tring, 'j'son (ISO), 'u'tc, 'd'ate, 't'ime. An invalid date gives "Invalid Date".
 */
void
wf_expr_date_text(WfEval *ev, const WfValue *date, char form, WfValue *out)
{
	double		ms = *date->u.ms;
	WfCivil		c;
	char		year[24];
	char		time[96];

	if (isnan(ms))
	{
		set_literal(out, "Invalid Date");
		return;
	}
	wf_expr_civil(ms, form == 'j' || form == 'u' ? NULL : session_timezone, &c);
	if (form == 'j')
	{
		snprintf(year, sizeof(year), c.year >= 0 && c.year <= 9999 ? "%04.0f" : c.year < 0 ? "-%06.0f" : "+%06.0f", fabs(c.year));
		wf_expr_format(ev, out, "%s-%02d-%02dT%02d:%02d:%02d.%03dZ", year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
		out->flags |= WF_S_ASCII;
		return;
	}
	year_text(c.year, year, sizeof(year));
	if (form == 'u')
	{
		wf_expr_format(ev, out, "%.3s, %02d %.3s %s %02d:%02d:%02d GMT", wf_expr_weekday_names[c.weekday], c.day,
					   wf_expr_month_names[c.month - 1], year, c.hour, c.minute, c.second);
		return;
	}
	snprintf(time, sizeof(time), "%02d:%02d:%02d GMT%c%02d%02d (%s)", c.hour, c.minute, c.second, c.offset < 0 ? '-' : '+',
			 abs(c.offset) / 3600, abs(c.offset) / 60 % 60,
			 strcmp(c.zone, "UTC") == 0 ? "Coordinated Universal Time" : c.zone);
	if (form == 't')
		wf_expr_format(ev, out, "%s", time);
	else
		wf_expr_format(ev, out, "%.3s %.3s %02d %s%s%s", wf_expr_weekday_names[c.weekday], wf_expr_month_names[c.month - 1],
					   c.day, year, form == 's' ? " " : "", form == 's' ? time : "");
}

#define TEXT_METHOD(name, form) \
static void \
name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	double		ms = this_ms(ev, self); \
	WfValue		date = {.tag = WF_V_DATE,.u.ms = &ms}; \
\
	wf_expr_date_text(ev, &date, form, out); \
}

TEXT_METHOD(date_to_string, 's')
TEXT_METHOD(date_to_utc_string, 'u')
TEXT_METHOD(date_to_date_string, 'd')
TEXT_METHOD(date_to_time_string, 't')

static void
date_to_iso_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms = this_ms(ev, self);
	WfValue		date = {.tag = WF_V_DATE,.u.ms = &ms};

	if (isnan(ms))
		wf_expr_throw(ev, "invalid date");
	wf_expr_date_text(ev, &date, 'j', out);
}

static void
date_to_json(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (isnan(this_ms(ev, self)))
		set_null(out);
	else
		date_to_iso_string(ev, self, argc, argv, out);
}

static void
date_to_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_locale_date(ev, this_ms(ev, self), ARG(0), ARG(1), true, true, out);
}

static void
date_to_locale_date_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_locale_date(ev, this_ms(ev, self), ARG(0), ARG(1), true, false, out);
}

static void
date_to_locale_time_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_locale_date(ev, this_ms(ev, self), ARG(0), ARG(1), false, true, out);
}

/* -- getters -- */

#define GETTER(name, zone, expression) \
static void \
name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	double		ms = this_ms(ev, self); \
	WfCivil		c; \
\
	if (isnan(ms)) \
	{ \
		set_number(out, NAN); \
		return; \
	} \
	wf_expr_civil(ms, zone, &c); \
	set_number(out, expression); \
}

GETTER(get_full_year, session_timezone, c.year)
GETTER(get_year, session_timezone, c.year - 1900)
GETTER(get_month, session_timezone, c.month - 1)
GETTER(get_date, session_timezone, c.day)
GETTER(get_day, session_timezone, c.weekday)
GETTER(get_hours, session_timezone, c.hour)
GETTER(get_minutes, session_timezone, c.minute)
GETTER(get_seconds, session_timezone, c.second)
GETTER(get_milliseconds, session_timezone, c.ms)
GETTER(get_timezone_offset, session_timezone, c.offset == 0 ? 0 : trunc(-c.offset / 60.0))
GETTER(get_utc_full_year, NULL, c.year)
GETTER(get_utc_month, NULL, c.month - 1)
GETTER(get_utc_date, NULL, c.day)
GETTER(get_utc_day, NULL, c.weekday)
GETTER(get_utc_hours, NULL, c.hour)
GETTER(get_utc_minutes, NULL, c.minute)
GETTER(get_utc_seconds, NULL, c.second)
GETTER(get_utc_milliseconds, NULL, c.ms)

static void
get_time(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, this_ms(ev, self));
}

/* -- setters -- */

/* Sets parts `first`, `first + 1` ... (0: year, 1: month from 0, ... 6: ms) to the arguments. */
static void
set_parts(WfEval *ev, const WfValue *self, int argc, WfValue *argv, int first, int most, pg_tz *zone, WfValue *out)
{
	double		ms = this_ms(ev, self);
	double		part[7];
	WfCivil		c;

	if (self->tag != WF_V_DATE)
		wf_expr_throw(ev, "a date-time cannot be changed; use .set({...}) or .plus()");
	if (isnan(ms) && first != 0)
	{
		set_number(out, NAN);
		return;
	}
	wf_expr_civil(isnan(ms) ? 0 : ms, isnan(ms) ? NULL : zone, &c);
	part[0] = c.year;
	part[1] = c.month - 1;
	part[2] = c.day;
	part[3] = c.hour;
	part[4] = c.minute;
	part[5] = c.second;
	part[6] = c.ms;
	for (int i = 0; i < Max(Min(argc, most), 1); i++)
		part[first + i] = trunc(wf_expr_to_number(ev, ARG(i)));
	ms = wf_expr_make_day(part[0], part[1], part[2]) * MS_PER_DAY + part[3] * 3600000.0 + part[4] * 60000.0 +
		part[5] * 1000.0 + part[6];
	ms = fabs(ms) <= 1e17 ? wf_expr_clip(wf_expr_from_local(ms, zone)) : NAN;
	*self->u.ms = ms;
	set_number(out, ms);
}

#define SETTER(name, first, most, zone) \
static void \
name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	set_parts(ev, self, argc, argv, first, most, zone, out); \
}

SETTER(set_full_year, 0, 3, session_timezone)
SETTER(set_month, 1, 2, session_timezone)
SETTER(set_date, 2, 1, session_timezone)
SETTER(set_hours, 3, 4, session_timezone)
SETTER(set_minutes, 4, 3, session_timezone)
SETTER(set_seconds, 5, 2, session_timezone)
SETTER(set_milliseconds, 6, 1, session_timezone)
SETTER(set_utc_full_year, 0, 3, NULL)
SETTER(set_utc_month, 1, 2, NULL)
SETTER(set_utc_date, 2, 1, NULL)
SETTER(set_utc_hours, 3, 4, NULL)
SETTER(set_utc_minutes, 4, 3, NULL)
SETTER(set_utc_seconds, 5, 2, NULL)
SETTER(set_utc_milliseconds, 6, 1, NULL)

static void
set_time(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	this_ms(ev, self);
	if (self->tag != WF_V_DATE)
		wf_expr_throw(ev, "a date-time cannot be changed; use .set({...}) or .plus()");
	*self->u.ms = wf_expr_clip(wf_expr_to_number(ev, ARG(0)));
	set_number(out, *self->u.ms);
}

const WfBuiltin wf_expr_date_methods[] = {
	{"toISOString", date_to_iso_string, 0},
	{"toLocaleString", date_to_locale_string, 0},
	{"getTime", get_time, 0},
	{"toLocaleDateString", date_to_locale_date_string, 0},
	{"toLocaleTimeString", date_to_locale_time_string, 0},
	{"getFullYear", get_full_year, 0},
	{"getMonth", get_month, 0},
	{"getDate", get_date, 0},
	{"getDay", get_day, 0},
	{"getHours", get_hours, 0},
	{"getMinutes", get_minutes, 0},
	{"getSeconds", get_seconds, 0},
	{"getMilliseconds", get_milliseconds, 0},
	{"getTimezoneOffset", get_timezone_offset, 0},
	{"getYear", get_year, 0},
	{"getUTCFullYear", get_utc_full_year, 0},
	{"getUTCMonth", get_utc_month, 0},
	{"getUTCDate", get_utc_date, 0},
	{"getUTCDay", get_utc_day, 0},
	{"getUTCHours", get_utc_hours, 0},
	{"getUTCMinutes", get_utc_minutes, 0},
	{"getUTCSeconds", get_utc_seconds, 0},
	{"getUTCMilliseconds", get_utc_milliseconds, 0},
	{"setFullYear", set_full_year, 3},
	{"setMonth", set_month, 2},
	{"setDate", set_date, 1},
	{"setHours", set_hours, 4},
	{"setMinutes", set_minutes, 3},
	{"setSeconds", set_seconds, 2},
	{"setMilliseconds", set_milliseconds, 1},
	{"setTime", set_time, 1},
	{"setUTCFullYear", set_utc_full_year, 3},
	{"setUTCMonth", set_utc_month, 2},
	{"setUTCDate", set_utc_date, 1},
	{"setUTCHours", set_utc_hours, 4},
	{"setUTCMinutes", set_utc_minutes, 3},
	{"setUTCSeconds", set_utc_seconds, 2},
	{"setUTCMilliseconds", set_utc_milliseconds, 1},
	{"toString", date_to_string, 0},
	{"toDateString", date_to_date_string, 0},
	{"toTimeString", date_to_time_string, 0},
	{"toUTCString", date_to_utc_string, 0},
	{"toGMTString", date_to_utc_string, 0},
	{"toJSON", date_to_json, 1},
	{"valueOf", get_time, 0},
	{NULL}
};
