/*
 * mail.c: email.send: a mail through the server that workflow.smtp_url, or a credential, names.
 *
 * An address is `local@domain`, alone or in angle brackets behind a name. It goes into the request as it was given, once it
 * is known to be one and to hold nothing that could end a header; encoding is for who sends it. What is not a single
 * address may be a list of them: separated by commas outside of quotes, or an array.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/text.h"
#include "block/http.h"

#define MOST_RECIPIENTS 500
#define MOST_ATTACHMENTS 100
#define LOCAL_BYTES 64
#define SUBJECT_BYTES 2000
#define FILENAME_BYTES 255
#define CONTENT_TYPE_BYTES 200

#define ADDRESS_HINT "An address is ann@example.com, or Ann <ann@example.com>."

/* -- addresses -- */

/* `local@domain` */
static bool
is_addr_spec(const char *text, int len)
{
	static const char local_bytes[] =
	"!#$%&'*+-./=?^_`{|}~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = memchr(text, '@', len);
	int			local_len = at == NULL ? 0 : at - text;

	if (local_len == 0 || local_len > LOCAL_BYTES || text[0] == '.' || text[local_len - 1] == '.')
		return false;
	for (int i = 0; i < local_len; i++)
	{
		if (strchr(local_bytes, text[i]) == NULL || (text[i] == '.' && text[i + 1] == '.'))
			return false;
	}
	return wf_block_address_is_host(at + 1, len - local_len - 1, true) && text[len - 1] != '.';
}

static bool
is_mail_address(const char *text)
{
	int			len = strlen(text);
	const char *open = strrchr(text, '<');
	int			quotes = 0;

	for (const char *p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || *p == 0x7f)
			return false;
	}
	if (open == NULL)
		return is_addr_spec(text, len);
	if (text[len - 1] != '>' || memchr(text, '>', len - 1) != NULL || strchr(text, '<') != open)
		return false;
	for (const char *p = text; p < open; p++)
		quotes += *p == '"';
	return quotes % 2 == 0 && is_addr_spec(open + 1, text + len - open - 2);
}

static char *
trim(const char *text, int len)
{
	while (len > 0 && *text == ' ')
	{
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return pnstrdup(text, len);
}

/* Reads one address as an element of the list that is being written; 1 when it is one. */
static int
read_address(WfReading *r, const char *text, const char *where)
{
	if (!is_mail_address(text))
	{
		wf_block_request_wrong(r, where, ADDRESS_HINT, "\"%s\" is no address of mail: %s", where, wf_text_clip(text));
		return 0;
	}
	if (r->w != NULL)
		wf_json_put_cstring(r->w, text);
	return 1;
}

/* Those of a text, separated by commas; returns how many. */
static int
read_addresses(WfReading *r, const JsonbValue *value, const char *where)
{
	bool		quoted = false;
	const char *begin;
	char	   *text;
	int			n = 0;

	if (wf_block_request_is_open(r, value))
		return 1;
	text = wf_json_cstring(value);
	if (text == NULL)
	{
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be a string, not %s", where, wf_json_type_name(value));
		return 0;
	}
	begin = text;
	for (char *p = text;; p++)
	{
		if (*p == '"')
			quoted = !quoted;
		if (*p != '\0' && (*p != ',' || quoted))
			continue;
		n += read_address(r, trim(begin, p - begin), where);
		if (*p == '\0')
			return n;
		begin = p + 1;
	}
}

/* A text, or a list of texts. Returns how many recipients there are. */
static int
read_recipients(WfReading *r, const char *key)
{
	int			n = 0;
	JsonbValue	value;
	WfItems		items;

	if (!wf_block_request_field(r, key, &value))
		return r->step == NULL && wf_block_fixed(r->node, key, &value) && value.type != jbvNull ? 1 : 0;
	if (r->w != NULL)
	{
		wf_json_key(r->w, key, strlen(key));
		wf_json_begin_array(r->w);
	}
	if (wf_json_is_array(&value))
	{
		wf_block_items_of(&value, &items);
		for (int i = 0; i < items.n && n <= MOST_RECIPIENTS; i++)
		{
			const char *where = psprintf("%s[%d]", key, i);

			n += wf_json_is_string(&items.values[i]) || r->step != NULL ? read_addresses(r, &items.values[i], where) : 1;
		}
	}
	else if (wf_json_is_string(&value))
		n = read_addresses(r, &value, key);
	else
		wf_block_request_wrong_type(r, key, "a string or an array", &value);
	if (r->w != NULL)
		wf_json_end_array(r->w);
	return n;
}

/* A single address. */
static void
read_from(WfReading *r)
{
	JsonbValue	value;
	char	   *text;

	if (!wf_block_request_field(r, "from", &value))
	{
		if (r->step != NULL)
			wf_block_request_wrong(r, "from", NULL, "\"from\" must be a string, not null");
		return;
	}
	text = wf_json_cstring(&value);
	if (text == NULL)
		wf_block_request_wrong_type(r, "from", "a string", &value);
	else if (!is_mail_address(trim(text, strlen(text))))
		wf_block_request_wrong(r, "from", ADDRESS_HINT, "\"from\" is no address of mail: %s", wf_text_clip(text));
	else
		wf_block_request_put(r, "from", trim(text, strlen(text)));
}

/* -- attachments -- */

/* One line of at most so many bytes. */
static void
read_line(WfReading *r, const JsonbValue *value, const char *where, const char *key, int most_bytes)
{
	char	   *text = wf_block_request_line(r, value, where, r->step != NULL);

	if (text != NULL && strlen(text) > (Size) most_bytes)
		wf_block_request_wrong(r, where, NULL, "\"%s\" must have at most %d bytes, not %zu", where, most_bytes, strlen(text));
	else
		wf_block_request_put(r, key, text);
}

/* `type/subtype`, perhaps with parameters. */
static bool
is_content_type(const char *text)
{
	char	   *type = pnstrdup(text, strcspn(text, "; "));
	char	   *slash = strchr(type, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return wf_block_request_is_token(type) && wf_block_request_is_token(slash + 1);
}

/* Returns the bytes of its content. */
static int64
read_content(WfReading *r, const JsonbValue *attachment, const char *place)
{
	const char *where = psprintf("%s.content", place);
	JsonbValue	value;
	int64		bytes;

	if (!wf_block_request_member(r, attachment, "content", &value))
	{
		if (r->step != NULL)
			wf_block_request_wrong(r, where, NULL, "\"%s\" must be a string in base64, not null", where);
		return 0;
	}
	if (!wf_json_is_string(&value))
	{
		wf_block_request_wrong_type(r, where, "a string in base64", &value);
		return 0;
	}
	bytes = wf_block_base64_bytes(value.val.string.val, value.val.string.len);
	if (bytes < 0)
		wf_block_request_wrong(r, where, "The method base64Encode() makes it of text.", "\"%s\" is no base64", where);
	else if (r->w != NULL)
		wf_json_put_field(r->w, "content", &value);
	return Max(bytes, 0);
}

static int64
read_attachment(WfReading *r, const JsonbValue *attachment, const char *place)
{
	int64		bytes;
	JsonbValue	value;

	if (!wf_json_is_object(attachment))
	{
		if (!wf_block_request_is_open(r, attachment))
			wf_block_request_wrong_type(r, place, "an object", attachment);
		return 0;
	}
	if (r->w != NULL)
		wf_json_begin_object(r->w);
	if (wf_block_request_member(r, attachment, "filename", &value))
		read_line(r, &value, psprintf("%s.filename", place), "filename", FILENAME_BYTES);
	else if (r->step != NULL)
		wf_block_request_wrong(r, place, NULL, "\"%s\" needs \"filename\"", place);
	if (wf_block_request_member(r, attachment, "contentType", &value))
	{
		if (wf_json_is_string(&value) && !is_content_type(wf_json_cstring(&value)))
			wf_block_request_wrong(r, psprintf("%s.contentType", place), NULL, "\"%s.contentType\" is no content type: %s", place,
								   wf_text_clip(wf_json_text(&value)));
		else
			read_line(r, &value, psprintf("%s.contentType", place), "contentType", CONTENT_TYPE_BYTES);
	}
	bytes = read_content(r, attachment, place);
	if (r->w != NULL)
		wf_json_end_object(r->w);
	return bytes;
}

static void
read_attachments(WfReading *r)
{
	int64		limit = (int64) wf_setting_mail_max_size * 1024;
	int64		bytes = 0;
	JsonbValue	value;
	WfItems		items;

	if (!wf_block_request_field(r, "attachments", &value))
		return;
	if (!wf_json_is_array(&value))
	{
		wf_block_request_wrong_type(r, "attachments", "an array", &value);
		return;
	}
	wf_block_items_of(&value, &items);
	if (r->step != NULL && items.n > MOST_ATTACHMENTS)
		wf_block_request_wrong(r, "attachments", NULL, "\"attachments\" must hold at most %d, not %d", MOST_ATTACHMENTS, items.n);
	if (r->w != NULL)
	{
		wf_json_key(r->w, "attachments", 11);
		wf_json_begin_array(r->w);
	}
	for (int i = 0; i < Min(items.n, MOST_ATTACHMENTS); i++)
		bytes += read_attachment(r, &items.values[i], psprintf("attachments[%d]", i));
	if (r->w != NULL)
		wf_json_end_array(r->w);
	if (bytes > limit)
		wf_block_request_wrong(r, "attachments", "Attach less, or raise workflow.mail_max_size.",
							   "\"attachments\" must have at most " INT64_FORMAT " bytes together, not " INT64_FORMAT,
							   limit, bytes);
}

/* -- the mail -- */

static bool
read_part(WfReading *r, const char *key)
{
	JsonbValue	value;

	if (!wf_block_request_field(r, key, &value))
		return r->step == NULL && wf_block_fixed(r->node, key, &value) && value.type != jbvNull;
	wf_block_request_put(r, key, wf_block_request_text(r, &value, key));
	return true;
}

static void
read_subject(WfReading *r)
{
	JsonbValue	value;
	JsonbValue	line;
	char	   *text;

	if (!wf_block_request_field(r, "subject", &value) || (r->step == NULL && !wf_json_is_string(&value)))
		return;
	text = wf_block_request_text(r, &value, "subject");
	if (text == NULL || text[0] == '\0')
		return;
	wf_json_set_string(&line, text, strlen(text));
	read_line(r, &line, "subject", "subject", SUBJECT_BYTES);
}

/* The relay, when it is that of a credential. */
static void
read_credential(WfReading *r)
{
	const char *name = r->step == NULL ? NULL : wf_block_credential_of(r->node);

	if (name == NULL)
		return;
	if (r->step->ops != NULL)
		r->step->ops->use_credential(r->step, name, WF_CREDENTIAL_IN_MAIL);
	wf_json_key(r->w, "auth", 4);
	wf_json_begin_object(r->w);
	wf_json_put_field_cstring(r->w, "credential", name);
	wf_json_end_object(r->w);
}

static void
read_request(WfReading *r)
{
	int			n;
	bool		has_text;
	bool		has_html;

	if (r->w != NULL)
	{
		wf_json_key(r->w, "mail", 4);
		wf_json_begin_object(r->w);
	}
	read_from(r);
	n = read_recipients(r, "to");
	n += read_recipients(r, "cc");
	n += read_recipients(r, "bcc");
	if (n == 0)
		wf_block_request_wrong(r, "to", NULL, "a mail needs a recipient: \"to\", \"cc\" or \"bcc\"");
	else if (n > MOST_RECIPIENTS)
		wf_block_request_wrong(r, "to", NULL, "a mail must have at most %d recipients", MOST_RECIPIENTS);
	read_subject(r);
	has_text = read_part(r, "text");
	has_html = read_part(r, "html");
	if (!has_text && !has_html)
		wf_block_request_wrong(r, "text", NULL, "a mail needs \"text\" or \"html\"");
	read_attachments(r);
	if (r->w != NULL)
		wf_json_end_object(r->w);
	read_credential(r);
	wf_block_request_policy(r);
}

static void
email_validate(const WfNode *node, WfDiagnostics *found)
{
	WfReading	r = wf_block_request_check(node, found);

	read_request(&r);
}

static void
email_look(const WfNode *node, void *prepared, WfDiagnostics *found)
{
	wf_block_look_for_credential(node, WF_CREDENTIAL_IN_MAIL, found);
}

static WfOutcome
email_execute(WfStep *step)
{
	WfReading	r;

	wf_block_request_begin(&r, step, "mail");
	read_request(&r);
	return wf_block_request_wait(step, wf_block_request_end(&r));
}

#define RECIPIENTS(name, text) "\"" name "\": {\"type\": [\"string\", \"array\", \"null\"], \"maxItems\": 500, \"items\": {\"type\": \"string\"}, \"description\": \"" text "\"}"

const WfBlock wf_block_email_send = {
	.type = "email.send",
	.category = "request",
	.summary = "sends a mail",
	.config_schema = "{\"type\": \"object\", \"properties\": {"
	"\"from\": " WF_JSON({
		"type": "string", "minLength": 1, "description": "ann@example.com, or Ann <ann@example.com>"
	}) ", " RECIPIENTS("to", "Addresses: a list, or a string that commas separate.") ", " RECIPIENTS("cc", "The same.") ", "
	RECIPIENTS("bcc", "The same; the others are not told.") ", \"subject\": " WF_JSON({
		"type": ["string", "null"], "description": "One line."
	}) ", \"text\": " WF_JSON({
		"type": ["string", "null"], "x-secret": true, "description": "The body as plain text."
	}) ", \"html\": " WF_JSON({
		"type": ["string", "null"], "x-secret": true, "description": "The body as HTML; with text, readers choose."
	}) ", \"attachments\": " WF_JSON({
		"type": ["array", "null"], "maxItems": 100,
		"items": {
			"type": "object",
			"properties": {
				"filename": {"type": "string", "minLength": 1},
				"contentType": {"type": ["string", "null"], "default": "application/octet-stream"},
				"content": {"type": "string", "description": "base64"}
			},
			"required": ["filename", "content"], "additionalProperties": false
		},
		"description": "Files, together of at most workflow.mail_max_size."
	}) ", \"auth\": " WF_JSON({
		"type": ["object", "null"], "x-fixed": true,
		"properties": {"credential": {"type": "string", "minLength": 1, "description": "Name of a credential of type smtp."}},
		"required": ["credential"], "additionalProperties": false,
		"description": "The relay and its login, instead of workflow.smtp_url."
	}) ", " WF_REQUEST_POLICY
	"}, \"required\": [\"from\"], \"additionalProperties\": false}",
	.output_schema = WF_REQUEST_OUTPUT,
	.ports = wf_block_request_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = email_execute,
	.validate = email_validate,
	.resume = wf_block_request_resume,
	.suspends = wf_block_request_suspends,
	.look = email_look,
};
