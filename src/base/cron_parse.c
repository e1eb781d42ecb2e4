/*
 * cron_parse.c: cron expressions become sets.
 *
 * As in Vixie's cron: lists of `*`, values and ranges, each with a step or without; a value with a step is a range to
 * the field's end (5/15 is 5-59/15); months and weekdays by their first three letters; 7 is Sunday too, so that
 * 5-7 is Friday to Sunday. More is refused than cron does where it is a mistake: steps longer than the field (every
 * "90" minutes would be every hour), and so are days that no crontab has (L, W, #, ?).
 */
#include "postgres.h"

#include "base/cron.h"
#include "base/text.h"

#define FIELDS 5

typedef struct Field
{
	const char *name;
	int			min;
	int			max;
	const char *names;			/* three letters each, for values from `first_name`; NULL: none */
	int			first_name;
	const char *values;			/* for messages */
} Field;

static const Field fields[FIELDS] = {
	{"minute", 0, 59, NULL, 0, "0 to 59"},
	{"hour", 0, 23, NULL, 0, "0 to 23"},
	{"day of month", 1, 31, NULL, 0, "1 to 31"},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1, "1 to 12 and JAN to DEC"},
	{"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0, "0 to 7 and SUN to SAT"},
};

static const struct
{
	const char *name;
	const char *meaning;
}			forms[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

static const char *
out_of_range(const Field *field, const char *item)
{
	return psprintf("\"%s\" is out of range: allowed are %s", wf_text_clip(item), field->values);
}

static const char *
no_value(const Field *field, const char *item)
{
	return psprintf("\"%s\" is not understood: allowed are %s, \"*\", and lists (1,2), ranges (1-5) and steps (*/2) of these",
					wf_text_clip(item), field->values);
}

/* Digits; beyond any field when there are too many. False when there are none. */
static bool
read_number(const char **at, int *out)
{
	const char *begin = *at;

	*out = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		*out = Min(*out * 10 + (**at - '0'), 1000);
	return *at > begin;
}

/* A number or a name. NULL, or what is wrong with the item. */
static const char *
read_value(const Field *field, const char *item, const char **at, int *out)
{
	if (read_number(at, out))
		return *out < field->min || *out > field->max ? out_of_range(field, item) : NULL;
	for (int i = 0; field->names != NULL && field->names[i] != '\0'; i += 3)
		if (pg_strncasecmp(*at, field->names + i, 3) == 0)
		{
			*at += 3;
			*out = field->first_name + i / 3;
			return NULL;
		}
	return no_value(field, item);
}

/* Values from low to high, as they are written. */
static const char *
range_text(int low, int high)
{
	return low == high ? psprintf("%d", low) : psprintf("%d-%d", low, high);
}

/* Cron has no range that goes round: what says the same? */
static const char *
backwards(const Field *field, const char *item, int low, int high)
{
	bool		is_weekday = field->max == 7;
	const char *instead = is_weekday && high == 0 ? range_text(low, 7) :
		psprintf("%s,%s", range_text(low, is_weekday ? 6 : field->max), range_text(field->min, high));

	return psprintf("range \"%s\" ends before it begins: write it as %s", wf_text_clip(item), instead);
}

/* `*`, a value or a range, and what follows it: NULL, or what is wrong. */
static const char *
read_range(const Field *field, const char *item, const char **at, int *low, int *high)
{
	const char *problem;

	*low = field->min;
	*high = field->max;
	if (**at == '*')
	{
		(*at)++;
		return NULL;
	}
	problem = read_value(field, item, at, low);
	if (problem != NULL)
		return problem;
	if (**at != '-')
	{
		*high = **at == '/' ? field->max : *low;
		return NULL;
	}
	(*at)++;
	problem = read_value(field, item, at, high);
	if (problem == NULL && *high < *low)
		problem = backwards(field, item, *low, *high);
	return problem;
}

/* Adds what one item of a list stands for: NULL, or what is wrong. */
static const char *
read_item(const Field *field, const char *item, uint64 *set)
{
	const char *at = item;
	int			low;
	int			high;
	int			step = 1;
	const char *problem;

	if (*item == '\0')
		return psprintf("an item of the list is empty: allowed are %s", field->values);
	problem = read_range(field, item, &at, &low, &high);
	if (problem != NULL)
		return problem;
	if (*at == '/')
	{
		at++;
		if (!read_number(&at, &step))
			return no_value(field, item);
		if (step < 1 || step > field->max)
			return psprintf("the step of \"%s\" is out of range: allowed are 1 to %d", wf_text_clip(item), field->max);
	}
	if (*at != '\0')
		return no_value(field, item);
	for (int value = low; value <= high; value += step)
		*set |= UINT64CONST(1) << value;
	return NULL;
}

/* A list, in memory that it may write to. */
static const char *
read_field(const Field *field, char *list, uint64 *set)
{
	const char *problem = NULL;

	*set = 0;
	for (char *next = list; problem == NULL && next != NULL;)
	{
		char	   *item = next;

		next = strchr(item, ',');
		if (next != NULL)
			*next++ = '\0';
		problem = read_item(field, item, set);
	}
	return problem;
}

/* Five fields, in memory that it may write to; as wf_cron_parse. */
static WfCron *
read_fields(char *text, const char **field, const char **problem)
{
	uint64		sets[FIELDS];
	bool		is_star[FIELDS];
	WfCron	   *cron;

	for (int i = 0; i < FIELDS; i++)
	{
		char	   *list = text + strspn(text, " \t");
		size_t		bytes = strcspn(list, " \t");

		*field = fields[i].name;
		text = list + bytes + (list[bytes] != '\0');
		list[bytes] = '\0';
		is_star[i] = list[0] == '*';
		*problem = bytes > 0 ? read_field(&fields[i], list, &sets[i]) :
			"the field is missing: there are five, minute, hour, day of month, month and day of week";
		if (*problem != NULL)
			return NULL;
	}
	*field = NULL;
	if (text[strspn(text, " \t")] != '\0')
	{
		*problem = "there are more than five fields: they are minute, hour, day of month, month and day of week, without seconds, years or a command";
		return NULL;
	}
	cron = palloc(sizeof(*cron));
	cron->minutes = sets[0];
	cron->hours = (uint32) sets[1];
	cron->days = (uint32) sets[2];
	cron->months = (uint32) sets[3];
	cron->weekdays = (uint32) ((sets[4] | sets[4] >> 7) & 0x7f);
	cron->either_day = !is_star[2] && !is_star[4];
	return cron;
}

/* The five fields that a form stands for, or NULL and why not. */
static const char *
expand(const char *form, const char **problem)
{
	for (int i = 0; i < lengthof(forms); i++)
		if (pg_strcasecmp(form, forms[i].name) == 0)
			return forms[i].meaning;
	if (pg_strcasecmp(form, "@reboot") == 0)
		*problem = "@reboot is no time: a schedule does not know when the server starts";
	else
		*problem = psprintf("\"%s\" is unknown: allowed are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly",
							wf_text_clip(form));
	return NULL;
}

WfCron *
wf_cron_parse(const char *text, const char **field, const char **problem)
{
	char		copy[WF_CRON_BYTES + 1];
	size_t		bytes = strnlen(text, WF_CRON_BYTES + 1);

	*field = NULL;
	*problem = NULL;
	if (bytes > WF_CRON_BYTES)
	{
		*problem = psprintf("it is longer than %d bytes", WF_CRON_BYTES);
		return NULL;
	}
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char) text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
		{
			*problem = "it has a control character or a line break in it: fields are separated by spaces";
			return NULL;
		}
	text += strspn(text, " \t");
	strlcpy(copy, text, sizeof(copy));
	if (copy[0] == '@')
	{
		const char *meaning;

		for (size_t end = strlen(copy); copy[end - 1] == ' ' || copy[end - 1] == '\t'; end--)
			copy[end - 1] = '\0';
		meaning = expand(copy, problem);
		if (meaning == NULL)
			return NULL;
		strlcpy(copy, meaning, sizeof(copy));
	}
	return read_fields(copy, field, problem);
}
