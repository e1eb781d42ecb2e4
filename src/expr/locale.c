/*
 * locale.c: toLocaleString of numbers and dates, for the locales that workflows use.
 *
 * English (en-US, the default) in full as far as the usual options go; of other locales the numeric
 * forms of dates and the separators of numbers. What is not here is refused rather than given in
 * another locale's form.
 */
#include "postgres.h"

#include <math.h>

#include "expr/calendar.h"

typedef struct Locale
{
	const char *name;
	const char *group;			/* of thousands */
	const char *point;
	int			least_grouped;	/* digits from which on thousands are grouped */
	const char *date;			/* d, m, y: as they are; D, M: two digits */
	const char *between;		/* date and time */
	bool		twelve;			/* hours */
	const char *am;
	const char *pm;
	bool		indian;			/* groups of two beyond the thousands */
	bool		symbol_first;	/* of a currency, with a space */
} Locale;

static const Locale locales[] = {
	{"en-US", ",", ".", 4, "m/d/y", ", ", true, "AM", "PM"},
	{"en", ",", ".", 4, "m/d/y", ", ", true, "AM", "PM"},
	{"en-GB", ",", ".", 4, "D/M/y", ", ", false},
	{"en-CA", ",", ".", 4, "y-M-D", ", ", true, "a.m.", "p.m."},
	{"en-AU", ",", ".", 4, "D/M/y", ", ", true, "am", "pm"},
	{"en-IN", ",", ".", 4, "d/m/y", ", ", true, "am", "pm", true},
	{"de-DE", ".", ",", 4, "d.m.y", ", ", false},
	{"de", ".", ",", 4, "d.m.y", ", ", false},
	{"fr-FR", "\xE2\x80\xAF", ",", 4, "D/M/y", " ", false},
	{"fr", "\xE2\x80\xAF", ",", 4, "D/M/y", " ", false},
	{"es-ES", ".", ",", 5, "d/m/y", ", ", false},
	{"es", ".", ",", 5, "d/m/y", ", ", false},
	{"it-IT", ".", ",", 4, "d/m/y", ", ", false},
	{"pt-BR", ".", ",", 4, "D/M/y", ", ", false, .symbol_first = true},
	{"nl-NL", ".", ",", 4, "d-m-y", ", ", false, .symbol_first = true},
	{"sv-SE", "\xC2\xA0", ",", 4, "y-M-D", " ", false},
};

static const Locale *
find_locale(WfEval *ev, const WfValue *name)
{
	WfValue		text = *name;

	if (is_array(name))
		wf_expr_array_at(name, 0, &text);
	if (text.tag == WF_V_UNDEFINED)
		return &locales[0];
	if (WF_IS_STRING(&text))
		for (int i = 0; i < lengthof(locales); i++)
			if (wf_expr_string_is(&text, locales[i].name))
				return &locales[i];
	wf_expr_to_string(ev, &text, &text);
	wf_expr_throw_hint(ev, "Use .toFixed() or .format() with a pattern, or a locale such as en-US.",
					   "locale \"%.*s\" is not available", (int) Min(text.len, 32), text.u.str);
}

/* An option as a C string, or NULL when it is not given. */
static const char *
option(WfEval *ev, const WfValue *options, const char *name)
{
	WfValue		value;
	WfValue		text;

	if (WF_IS_NULLISH(options) || !wf_expr_get_field(ev, options, name, &value) || value.tag == WF_V_UNDEFINED)
		return NULL;
	wf_expr_to_string(ev, &value, &text);
	return wf_expr_cstring(ev, &text);
}

static bool
option_is(WfEval *ev, const WfValue *options, const char *name, const char *value)
{
	const char *given = option(ev, options, name);

	return given != NULL && strcmp(given, value) == 0;
}

/* -- numbers -- */

/* Symbols of the currencies that workflows use most; others show their code. */
static const char *
currency_symbol(const char *code)
{
	static const char *const symbols[][2] = {{"USD", "$"}, {"EUR", "\xE2\x82\xAC"}, {"GBP", "\xC2\xA3"},
	{"JPY", "\xC2\xA5"}, {"INR", "\xE2\x82\xB9"}, {"BRL", "R$"}, {"CAD", "CA$"}, {"AUD", "A$"}, {"CNY", "CN\xC2\xA5"},
	{"KRW", "\xE2\x82\xA9"}, {"MXN", "MX$"}, {"NZD", "NZ$"}, {"ILS", "\xE2\x82\xAA"}};

	for (int i = 0; i < lengthof(symbols); i++)
		if (pg_strcasecmp(symbols[i][0], code) == 0)
			return symbols[i][1];
	return NULL;
}

/* A number in decimal: 0.digits * 10 ** point. */
typedef struct Decimal
{
	char		digits[24];
	int			n;
	int			point;
} Decimal;

/* The shortest decimal that reads back as the value, which is finite and not negative. */
static void
to_decimal(double value, Decimal *d)
{
	char		text[40];

	d->n = 0;
	d->point = 0;
	if (value == 0)
		return;
	for (int precision = 0; precision < 17; precision++)
	{
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	for (const char *c = text; *c != 'e'; c++)
		if (*c != '.')
			d->digits[d->n++] = *c;
	d->point = atoi(strchr(text, 'e') + 1) + 1;
	while (d->n > 0 && d->digits[d->n - 1] == '0')
		d->n--;
}

/* Rounds to that many digits, ties away from zero. */
static void
round_decimal(Decimal *d, int keep)
{
	bool		up;

	if (keep >= d->n)
		return;
	up = keep >= 0 && d->digits[keep] >= '5';
	d->n = Max(keep, 0);
	while (up && d->n > 0 && d->digits[d->n - 1] == '9')
		d->n--;
	if (up && d->n > 0)
		d->digits[d->n - 1]++;
	else if (up)
	{
		d->digits[d->n++] = '1';
		d->point++;
	}
	while (d->n > 0 && d->digits[d->n - 1] == '0')
		d->n--;
}

static char
digit_at(const Decimal *d, int place)
{
	return place >= 0 && place < d->n ? d->digits[place] : '0';
}

/* Options that JavaScript knows, whose only value here is the default one. */
static void
refuse_options(WfEval *ev, const WfValue *options, const char *const (*known)[2])
{
	for (; (*known)[0] != NULL; known++)
	{
		const char *given = option(ev, options, (*known)[0]);

		if (given != NULL && strcmp(given, (*known)[1]) != 0)
			wf_expr_throw_hint(ev, "Use .toFixed() or .format() with a pattern.", "the option %s of toLocaleString is not available",
							   (*known)[0]);
	}
}

static const char *const number_options[][2] = {
	{"notation", "standard"}, {"compactDisplay", "short"}, {"signDisplay", "auto"}, {"currencyDisplay", "symbol"},
	{"currencySign", "standard"}, {"unit", ""}, {"roundingMode", "halfExpand"}, {"roundingIncrement", "1"},
	{"roundingPriority", "auto"}, {"trailingZeroDisplay", "auto"}, {"numberingSystem", "latn"}, {NULL}
};

static const char *const date_options[][2] = {
	{"era", ""}, {"dayPeriod", ""}, {"fractionalSecondDigits", ""}, {"calendar", "gregory"}, {"numberingSystem", "latn"}, {NULL}
};

/* How many digits are shown. */
typedef struct Digits
{
	int			least;			/* after the point */
	int			most;
	int			least_significant;	/* when one of these two was given */
	int			most_significant;	/* 0: neither */
} Digits;

/* An option that is a count; `otherwise` when it is not given. */
static int
count_option(WfEval *ev, const WfValue *options, const char *name, int from, int to, int otherwise)
{
	WfValue		value;
	double		number;

	if (WF_IS_NULLISH(options) || !wf_expr_get_field(ev, options, name, &value) || value.tag == WF_V_UNDEFINED)
		return otherwise;
	number = wf_expr_to_number(ev, &value);
	if (!(number >= from && number <= to))
		wf_expr_throw(ev, "%s must be between %d and %d", name, from, to);
	return (int) number;
}

static void
read_digits(WfEval *ev, const WfValue *options, Digits *d)
{
	int			least = count_option(ev, options, "minimumFractionDigits", 0, 100, -1);
	int			most = count_option(ev, options, "maximumFractionDigits", 0, 100, -1);
	int			least_significant = count_option(ev, options, "minimumSignificantDigits", 1, 21, 0);

	d->most_significant = count_option(ev, options, "maximumSignificantDigits", Max(least_significant, 1), 21,
									   least_significant ? 21 : 0);
	d->least_significant = Max(least_significant, 1);
	if (least >= 0 && most >= 0 && least > most)
		wf_expr_throw(ev, "fraction digits are out of range");
	d->least = least >= 0 ? least : most >= 0 ? Min(d->least, most) : d->least;
	d->most = most >= 0 ? most : Max(d->most, d->least);
}

static void
put_grouped(WfBuffer *buffer, const Decimal *d, int least_integer, const Locale *locale, bool grouping)
{
	int			n = Max(d->point, least_integer);

	for (int i = 0; i < n; i++)
	{
		int			left = n - i;

		if (i > 0 && grouping && n >= locale->least_grouped &&
			(locale->indian ? left == 3 || (left > 3 && left % 2 == 1) : left % 3 == 0))
			buffer_bytes(buffer, locale->group, strlen(locale->group));
		buffer_char(buffer, digit_at(d, d->point - left));
	}
}

/* The digits of a finite value that is not negative. */
static void
put_digits(WfEval *ev, WfBuffer *buffer, double value, bool percent, const Digits *shown, const WfValue *options, const Locale *locale)
{
	int			least_integer = count_option(ev, options, "minimumIntegerDigits", 1, 21, 1);
	bool		grouping = !option_is(ev, options, "useGrouping", "false");
	int			least = shown->least;
	int			fraction;
	Decimal		d;

	to_decimal(value, &d);
	if (percent && d.n > 0)
		d.point += 2;
	if (shown->most_significant > 0)
	{
		round_decimal(&d, shown->most_significant);
		least = Max(shown->least_significant - (d.n > 0 ? d.point : 1), 0);
	}
	else
		round_decimal(&d, d.point + shown->most);
	if (d.n == 0)
		d.point = 0;
	put_grouped(buffer, &d, least_integer, locale, grouping);
	fraction = Max(d.n - d.point, least);
	if (fraction > 0)
		buffer_bytes(buffer, locale->point, strlen(locale->point));
	for (int i = 0; i < fraction; i++)
		buffer_char(buffer, digit_at(&d, d.point + i));
}

/* "decimal", "percent" or "currency"; throws for others. */
static const char *
number_style(WfEval *ev, const WfValue *options)
{
	const char *style = option(ev, options, "style");

	if (style == NULL || strcmp(style, "decimal") == 0)
		return "decimal";
	if (strcmp(style, "percent") != 0 && strcmp(style, "currency") != 0)
		wf_expr_throw(ev, "the style \"%.32s\" of toLocaleString is not available", style);
	return style;
}

void
wf_expr_format_locale(WfEval *ev, double value, const WfValue *locale_name, const WfValue *options, WfValue *out)
{
	const Locale *locale = find_locale(ev, locale_name);
	const char *style = number_style(ev, options);
	bool		percent = style[0] == 'p';
	bool		currency = style[0] == 'c';
	char	   *code = currency && option(ev, options, "currency") ? pstrdup(option(ev, options, "currency")) : NULL;
	const char *symbol = code ? currency_symbol(code) : NULL;
	bool		english = strncmp(locale->name, "en", 2) == 0;
	Digits		digits = {.least = currency ? 2 : 0,.most = currency ? 2 : percent ? 0 : 3};
	WfBuffer	buffer;

	refuse_options(ev, options, number_options);
	if (currency && (code == NULL || strlen(code) != 3))
		wf_expr_throw(ev, "style \"currency\" needs the option currency, a code of three letters");
	for (char *c = code; c != NULL && *c != '\0'; c++)
		*c = pg_ascii_toupper((unsigned char) *c);
	if (code && (strcmp(code, "JPY") == 0 || strcmp(code, "KRW") == 0))
		digits.least = digits.most = 0;
	read_digits(ev, options, &digits);
	wf_expr_buffer_begin(&buffer, ev);
	if (value < 0 || (value == 0 && signbit(value)))
		buffer_char(&buffer, '-');
	if (currency && (english || locale->symbol_first))
	{
		buffer_bytes(&buffer, symbol ? symbol : code, strlen(symbol ? symbol : code));
		if (symbol == NULL || !english)
			buffer_bytes(&buffer, "\xC2\xA0", 2);
	}
	if (isnan(value))
		buffer_bytes(&buffer, "NaN", 3);
	else if (isinf(value))
		buffer_bytes(&buffer, "\xE2\x88\x9E", 3);
	else
		put_digits(ev, &buffer, fabs(value), percent, &digits, options, locale);
	if (percent)
		buffer_bytes(&buffer, english ? "%" : "\xC2\xA0%", english ? 1 : 3);
	if (currency && !english && !locale->symbol_first)
	{
		buffer_bytes(&buffer, "\xC2\xA0", 2);
		buffer_bytes(&buffer, symbol ? symbol : code, strlen(symbol ? symbol : code));
	}
	wf_expr_buffer_end(&buffer, out);
}

/* -- dates -- */

typedef struct Shape				/* what of a date is shown, and how; NULL: not */
{
	const char *weekday;
	const char *year;
	const char *month;
	const char *day;
	const char *hour;
	const char *minute;
	const char *second;
	const char *zone;
	bool		twelve;
	int			midnight;		/* the hour before one o'clock: 0, 12 or 24 */
	bool		at;				/* "March 10 at 8:34 AM" */
} Shape;

static void
apply_style(Shape *shape, const char *date, const char *time)
{
	if (date != NULL)
	{
		shape->year = strcmp(date, "short") == 0 ? "2-digit" : "numeric";
		shape->month = strcmp(date, "short") == 0 ? "numeric" : strcmp(date, "medium") == 0 ? "short" : "long";
		shape->day = "numeric";
		if (strcmp(date, "full") == 0)
			shape->weekday = "long";
		shape->at = strcmp(date, "full") == 0 || strcmp(date, "long") == 0;
	}
	if (time != NULL)
	{
		shape->hour = "numeric";
		shape->minute = "2-digit";
		if (strcmp(time, "short") != 0)
			shape->second = "2-digit";
		if (strcmp(time, "long") == 0 || strcmp(time, "full") == 0)
			shape->zone = "short";
	}
}

static void
read_shape(WfEval *ev, const WfValue *options, bool date, bool time, const Locale *locale, Shape *shape)
{
	const char *date_style = option(ev, options, "dateStyle");
	const char *time_style = option(ev, options, "timeStyle");
	bool		any_date;
	bool		any_time;

	memset(shape, 0, sizeof(*shape));
	shape->twelve = locale->twelve;
	if (date_style || time_style)
		apply_style(shape, date_style, time_style);
	else
	{
		shape->weekday = option(ev, options, "weekday");
		shape->year = option(ev, options, "year");
		shape->month = option(ev, options, "month");
		shape->day = option(ev, options, "day");
		shape->hour = option(ev, options, "hour");
		shape->minute = option(ev, options, "minute");
		shape->second = option(ev, options, "second");
		any_date = shape->weekday || shape->year || shape->month || shape->day;
		any_time = shape->hour || shape->minute || shape->second;
		if (date && !any_date && !(any_time && time))
			shape->year = shape->month = shape->day = "numeric";
		if (time && !any_time && !(any_date && date))
		{
			shape->hour = "numeric";
			shape->minute = shape->second = "2-digit";
		}
		shape->at = shape->month && strcmp(shape->month, "long") == 0;
	}
	if (option(ev, options, "timeZoneName"))
		shape->zone = option(ev, options, "timeZoneName");
	if (option(ev, options, "hour12"))
	{
		WfValue		value;

		wf_expr_get_field(ev, options, "hour12", &value);
		shape->twelve = wf_expr_to_bool(&value);
		/* whatever the locale counts from otherwise: ECMA-402 since 2023, Node.js since 24 */
		shape->midnight = shape->twelve ? 12 : 0;
		return;
	}
	shape->midnight = shape->twelve ? 12 : 0;
	if (option(ev, options, "hourCycle"))
	{
		shape->twelve = option_is(ev, options, "hourCycle", "h12") || option_is(ev, options, "hourCycle", "h11");
		shape->midnight = option_is(ev, options, "hourCycle", "h12") ? 12 : option_is(ev, options, "hourCycle", "h24") ? 24 : 0;
	}
}

static void
put(WfBuffer *buffer, const char *fmt, ...) pg_attribute_printf(2, 3);

static void
put(WfBuffer *buffer, const char *fmt, ...)
{
	char		text[96];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buffer_bytes(buffer, text, strlen(text));
}

static bool
is_text_month(const Shape *shape)
{
	return shape->month && strchr("lsn", shape->month[0]) != NULL && strcmp(shape->month, "numeric") != 0;
}

/* Letters of a name in this width. */
static int
name_width(const char *width)
{
	return strcmp(width, "long") == 0 ? 9 : strcmp(width, "narrow") == 0 ? 1 : 3;
}

static void
put_year(WfBuffer *buffer, const Shape *shape, const WfCivil *c)
{
	if (strcmp(shape->year, "2-digit") == 0)
		put(buffer, "%02d", (int) fmod(fabs(c->year), 100));
	else
		put(buffer, "%.0f", c->year);
}

/* English: "Sunday, March 10, 2024", "Mar 10", "3/10/2024". */
static void
put_english_date(WfBuffer *buffer, const Shape *shape, const WfCivil *c)
{
	bool		any = shape->year || shape->month || shape->day;

	if ((shape->weekday && any && !(shape->month && shape->day)) || (shape->year && shape->day && !shape->month))
		wf_expr_throw_hint(buffer->ev, "Use .format() with a pattern.", "this choice of parts of a date is not available");
	if (shape->weekday)
		put(buffer, "%.*s%s", name_width(shape->weekday), wf_expr_weekday_names[c->weekday], any ? ", " : "");
	if (is_text_month(shape))
	{
		put(buffer, "%.*s", name_width(shape->month), wf_expr_month_names[c->month - 1]);
		if (shape->day)
			put(buffer, strcmp(shape->day, "2-digit") == 0 ? " %02d" : " %d", c->day);
		if (shape->year)
		{
			put(buffer, shape->day ? ", " : " ");
			put_year(buffer, shape, c);
		}
		return;
	}
	if (shape->month)
		put(buffer, strcmp(shape->month, "2-digit") == 0 ? "%02d" : "%d", c->month);
	if (shape->day)
		put(buffer, strcmp(shape->day, "2-digit") == 0 ? "%s%02d" : "%s%d", shape->month ? "/" : "", c->day);
	if (shape->year)
	{
		put(buffer, "%s", shape->month || shape->day ? "/" : "");
		put_year(buffer, shape, c);
	}
}

static void
put_numeric_date(WfBuffer *buffer, const Locale *locale, const Shape *shape, const WfCivil *c)
{
	char		separator = locale->date[1];
	bool		any = false;

	for (const char *p = locale->date; *p; p += 2)
	{
		const char *how = *p == 'y' ? shape->year : (*p | 0x20) == 'm' ? shape->month : shape->day;
		int			number = (*p | 0x20) == 'm' ? c->month : c->day;

		if (how != NULL)
		{
			if (any)
				buffer_char(buffer, separator);
			any = true;
			if (*p == 'y')
				put_year(buffer, shape, c);
			else
				put(buffer, strcmp(how, "2-digit") == 0 || *p == 'D' || *p == 'M' ? "%02d" : "%d", number);
		}
		if (p[1] == '\0')
			break;
	}
}

static void
put_time(WfBuffer *buffer, const Locale *locale, const Shape *shape, const WfCivil *c)
{
	int			clock = shape->twelve ? c->hour % 12 : c->hour;
	int			hour = clock == 0 ? shape->midnight : clock;
	bool		padded = shape->hour && (strcmp(shape->hour, "2-digit") == 0 || !shape->twelve);

	if (shape->hour)
		put(buffer, padded ? "%02d" : "%d", hour);
	if (shape->minute)
		put(buffer, shape->hour || shape->second ? "%s%02d" : "%s%d", shape->hour ? ":" : "", c->minute);
	if (shape->second)
		put(buffer, shape->minute ? "%s%02d" : "%s%d", shape->minute ? ":" : "", c->second);
	if (shape->hour && shape->twelve)
		put(buffer, " %s", c->hour < 12 ? (locale->am ? locale->am : "AM") : (locale->pm ? locale->pm : "PM"));
}

void
wf_expr_locale_date(WfEval *ev, double ms, const WfValue *locale_name, const WfValue *options, bool date, bool time,
					WfValue *out)
{
	const Locale *locale = find_locale(ev, locale_name);
	const char *zone_name = option(ev, options, "timeZone");
	pg_tz	   *zone = session_timezone;
	Shape		shape;
	WfCivil		c;
	WfBuffer	buffer;
	bool		has_date;
	bool		has_time;

	if (isnan(ms))
	{
		set_literal(out, "Invalid Date");
		return;
	}
	if (zone_name)
	{
		WfValue		name;

		set_string(&name, zone_name, strlen(zone_name), 0);
		zone = wf_expr_zone(ev, &name);
	}
	refuse_options(ev, options, date_options);
	read_shape(ev, options, date, time, locale, &shape);
	has_date = shape.weekday || shape.year || shape.month || shape.day;
	has_time = shape.hour || shape.minute || shape.second;
	wf_expr_civil(ms, zone, &c);
	wf_expr_buffer_begin(&buffer, ev);
	if (has_date && strncmp(locale->name, "en", 2) == 0 && locale->date[0] == 'm')
		put_english_date(&buffer, &shape, &c);
	else if (has_date)
	{
		if (is_text_month(&shape) || shape.weekday)
			wf_expr_throw_hint(ev, "Use .format() with a pattern, or the locale en-US.",
							   "names of months and days are available in en-US only");
		put_numeric_date(&buffer, locale, &shape, &c);
	}
	if (has_date && has_time)
		put(&buffer, "%s", shape.at && locale->date[0] == 'm' ? " at " :
			shape.weekday && !shape.day ? " " : locale->between);
	if (has_time)
		put_time(&buffer, locale, &shape, &c);
	if (shape.zone)
		put(&buffer, " %s", c.zone);
	wf_expr_buffer_end(&buffer, out);
}
