/*
 * mask.c: finding the values of secrets in what comes back, in the forms that servers give them, and putting *** there.
 *
 * 1. A value is looked for as it is, as JSON and HTML write it, percent-encoded (the ways that differ), in hexadecimal, and in
 *    base64 (also that of URLs) at each of the three places that it can have in a group: so that "user:password" in base64 is
 *    found by the password.
 * 2. All forms are looked for in one pass, however many there are (Wu and Manber: how far one may skip is known by the last
 *    two bytes of a window as long as the shortest form). The table is small for few forms, as most answers are, too.
 * 3. What is put there is shorter than what was: a text is masked where it is.
 * 4. In base64 a value shares a character with what is beside it; that goes, too.
 *
 * A server that wants to tell a secret can always write it in a way that nobody looks for. This is against logs and journals that
 * hold a secret because a server repeats what it was asked.
 */
#include "postgres.h"

#include "base/secret.h"
#include "dispatch/mask.h"

#define FEW_FORMS 48
#define FEW_BITS 12
#define MANY_BITS 16
#define FORMS_OF_A_VALUE 16

typedef struct Form
{
	char	   *data;
	size_t		bytes;
	bool		is_base64;
	bool		is_inside;		/* base64 that does not begin a group: the character before it has some of its bits */
	int			next;			/* with the same last two bytes of the window; -1: none */
} Form;

struct WfMask
{
	int			n;
	int			size;
	int			begin;			/* the first form of the value at hand, while they are made */
	Form	   *forms;
	size_t		window;			/* bytes of the shortest form */
	size_t		longest;
	int			bits;
	uint8	   *skip;			/* by the hash of two bytes: how far the window moves; 0: look */
	int		   *first;			/* a form; -1: none */
};

/* -- forms -- */

/* Adds a form, unless the value has it already. */
static void
add_form(WfMask *mask, const char *data, size_t bytes, bool is_base64, bool is_inside)
{
	Form	   *form = &mask->forms[mask->n];

	if (bytes < WF_MASK_LEAST_BYTES || mask->n == mask->size)
		return;
	for (int i = mask->begin; i < mask->n; i++)
		if (mask->forms[i].bytes == bytes && memcmp(mask->forms[i].data, data, bytes) == 0)
			return;
	form->data = wf_secret_alloc(bytes + 1);
	memcpy(form->data, data, bytes);
	form->bytes = bytes;
	form->is_base64 = is_base64;
	form->is_inside = is_inside;
	mask->n++;
}

typedef size_t (*Writer) (unsigned char c, char *out);

static size_t
put_hex(unsigned char c, char *out, const char *digits)
{
	out[0] = digits[c >> 4];
	out[1] = digits[c & 15];
	return 2;
}

#define LOWER "0123456789abcdef"
#define UPPER "0123456789ABCDEF"

static size_t
write_lower_hex(unsigned char c, char *out)
{
	return put_hex(c, out, LOWER);
}

static size_t
write_upper_hex(unsigned char c, char *out)
{
	return put_hex(c, out, UPPER);
}

static size_t
put_percent(unsigned char c, char *out, const char *digits, const char *plain)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(plain, c) != NULL))
	{
		out[0] = c;
		return 1;
	}
	out[0] = '%';
	return 1 + put_hex(c, out + 1, digits);
}

static size_t
write_percent(unsigned char c, char *out)
{
	return put_percent(c, out, UPPER, "-._~");
}

static size_t
write_lower_percent(unsigned char c, char *out)
{
	return put_percent(c, out, LOWER, "-._~");
}

/* encodeURIComponent */
static size_t
write_component(unsigned char c, char *out)
{
	return put_percent(c, out, UPPER, "-._~!'()*");
}

/* encodeURI, paths */
static size_t
write_uri(unsigned char c, char *out)
{
	return put_percent(c, out, UPPER, "-._~!'()*;/?:@&=+$,#");
}

/* forms of HTML */
static size_t
write_form(unsigned char c, char *out)
{
	if (c != ' ')
		return put_percent(c, out, UPPER, "-._*");
	out[0] = '+';
	return 1;
}

static size_t
write_json(unsigned char c, char *out)
{
	static const char short_ones[] = "bfnrt\"\\";
	static const char meant[] = "\b\f\n\r\t\"\\";
	const char *found = c == '\0' ? NULL : strchr(meant, c);

	out[0] = c;
	if (found == NULL && c >= ' ')
		return 1;
	out[0] = '\\';
	if (found != NULL)
	{
		out[1] = short_ones[found - meant];
		return 2;
	}
	memcpy(out + 1, "u00", 3);
	return 4 + put_hex(c, out + 4, LOWER);
}

static size_t
write_html(unsigned char c, char *out)
{
	const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : c == '\'' ? "&#39;" : NULL;

	if (entity == NULL)
	{
		out[0] = c;
		return 1;
	}
	memcpy(out, entity, strlen(entity));
	return strlen(entity);
}

/* `buffer` has room for any form. */
static void
add_written(WfMask *mask, const char *value, size_t bytes, Writer write, char *buffer)
{
	size_t		n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += write((unsigned char) value[i], buffer + n);
	add_form(mask, buffer, n, false, false);
}

/* The characters of base64 that depend on the value alone, when `before` bytes of its first group are another's. */
static void
add_base64(WfMask *mask, const char *value, size_t bytes, int before, bool of_urls, char *buffer)
{
	const char *characters = of_urls ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" :
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		begin = before == 0 ? 0 : (size_t) before + 1;
	size_t		end = (before + bytes) * 8 / 6;
	size_t		n = 0;

	for (size_t i = begin; i < end; i++)
	{
		size_t		bit = i * 6 - before * 8;	/* of the value */
		unsigned int two = (unsigned char) value[bit / 8] << 8;

		if (bit / 8 + 1 < bytes)
			two |= (unsigned char) value[bit / 8 + 1];
		buffer[n++] = characters[(two >> (10 - bit % 8)) & 63];
	}
	add_form(mask, buffer, n, true, before != 0);
}

static void
add_value(WfMask *mask, const char *value, size_t bytes)
{
	static const Writer writers[] = {
		write_lower_hex, write_upper_hex, write_percent, write_lower_percent, write_component, write_uri, write_form, write_json,
		write_html,
	};
	char	   *buffer;

	if (value == NULL || bytes < WF_MASK_LEAST_BYTES)
		return;
	buffer = wf_secret_alloc(6 * bytes + 1);
	mask->begin = mask->n;
	add_form(mask, value, bytes, false, false);
	for (int i = 0; i < lengthof(writers); i++)
		add_written(mask, value, bytes, writers[i], buffer);
	for (int before = 0; before < 3; before++)
	{
		add_base64(mask, value, bytes, before, false, buffer);
		add_base64(mask, value, bytes, before, true, buffer);
	}
	explicit_bzero(buffer, 6 * bytes);
}

/* -- the table -- */

static inline uint32
hash(const WfMask *mask, const char *two)
{
	return ((uint32) (unsigned char) two[0] << 8 | (unsigned char) two[1]) * 0x9E3779B1u >> (32 - mask->bits);
}

static void
make_table(WfMask *mask)
{
	size_t		entries;

	mask->bits = mask->n <= FEW_FORMS ? FEW_BITS : MANY_BITS;
	entries = (size_t) 1 << mask->bits;
	mask->window = mask->forms[0].bytes;
	for (int i = 0; i < mask->n; i++)
	{
		mask->window = Min(mask->window, mask->forms[i].bytes);
		mask->longest = Max(mask->longest, mask->forms[i].bytes);
	}
	mask->window = Min(mask->window, 255);
	mask->skip = palloc(entries);
	mask->first = palloc(sizeof(int) * entries);
	memset(mask->skip, (int) mask->window - 1, entries);
	memset(mask->first, -1, sizeof(int) * entries);
	for (int i = 0; i < mask->n; i++)
	{
		Form	   *form = &mask->forms[i];
		uint32		h = 0;

		for (size_t j = 1; j < mask->window; j++)
		{
			h = hash(mask, form->data + j - 1);
			mask->skip[h] = Min(mask->skip[h], mask->window - 1 - j);
		}
		form->next = mask->first[h];
		mask->first[h] = i;
	}
}

WfMask *
wf_mask_make(const WfSecretValue *values, int n_values, const char *token)
{
	WfMask	   *mask;
	int			n = token != NULL && strlen(token) >= WF_MASK_LEAST_BYTES;

	for (int i = 0; i < n_values; i++)
		n += values[i].value != NULL && values[i].len >= WF_MASK_LEAST_BYTES;
	if (n == 0)
		return NULL;
	mask = palloc0(sizeof(WfMask));
	mask->size = n * FORMS_OF_A_VALUE;
	mask->forms = palloc0(sizeof(Form) * mask->size);
	for (int i = 0; i < n_values; i++)
		add_value(mask, values[i].value, values[i].len);
	if (token != NULL)
		add_value(mask, token, strlen(token));
	make_table(mask);
	return mask;
}

size_t
wf_mask_longest(const WfMask *mask)
{
	return mask == NULL ? 0 : mask->longest;
}

/* -- looking -- */

/* The first form from byte `at` on, the longest of those that begin there; *begin: where. NULL: there is none. */
static const Form *
next_form(const WfMask *mask, const char *text, size_t bytes, size_t at, size_t *begin)
{
	size_t		last = at + mask->window - 1;

	while (last < bytes)
	{
		uint32		h = hash(mask, text + last - 1);
		size_t		skip = mask->skip[h];
		const Form *found = NULL;

		if (skip > 0)
		{
			last += skip;
			continue;
		}
		*begin = last - (mask->window - 1);
		for (int i = mask->first[h]; i >= 0; i = mask->forms[i].next)
		{
			const Form *form = &mask->forms[i];

			if (form->bytes <= bytes - *begin && memcmp(text + *begin, form->data, form->bytes) == 0 &&
				(found == NULL || form->bytes > found->bytes))
				found = form;
		}
		if (found != NULL)
			return found;
		last++;
	}
	return NULL;
}

bool
wf_mask_finds(const WfMask *mask, const char *text, size_t bytes)
{
	size_t		begin;

	return mask != NULL && next_form(mask, text, bytes, 0, &begin) != NULL;
}

static bool
is_base64(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '-' || c == '_';
}

size_t
wf_mask_bytes(const WfMask *mask, char *text, size_t bytes)
{
	size_t		out = 0;
	size_t		at = 0;
	size_t		begin;
	const Form *form;

	if (mask == NULL)
		return bytes;
	while ((form = next_form(mask, text, bytes, at, &begin)) != NULL)
	{
		if (out != at)
			memmove(text + out, text + at, begin - at);
		out += begin - at;
		if (form->is_inside && begin > at && is_base64(text[out - 1]))
			out--;
		at = begin + form->bytes;
		if (form->is_base64 && at < bytes && is_base64(text[at]))
			at++;
		memcpy(text + out, "***", 3);
		out += 3;
	}
	if (out != at)
		memmove(text + out, text + at, bytes - at);
	return out + bytes - at;
}

const char *
wf_mask_text(const WfMask *mask, const char *text)
{
	size_t		bytes = text == NULL ? 0 : strlen(text);
	char	   *copy;

	if (text == NULL || !wf_mask_finds(mask, text, bytes))
		return text;
	copy = pstrdup(text);
	copy[wf_mask_bytes(mask, copy, bytes)] = '\0';
	return copy;
}
