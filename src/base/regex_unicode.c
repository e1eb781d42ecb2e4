/*
 * regex_unicode.c: the tables behind flag i and \p{...}.
 *
 * Which characters equal which but for case is Unicode's data as ECMAScript uses it: simple case
 * folding with flags u and v; without them, equality of toUpperCase where that is one code unit and
 * does not lead from beyond ASCII into it. Kept here rather than asked of PCRE2, whose own rule is
 * neither of the two. Unicode 17.
 *
 * Properties keep PCRE2's data, but JavaScript's names: those are exact, PCRE2's are not, and each
 * knows some that the other does not.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/regex_internal.h"

/* lo, hi, stride, delta, rules; in order of lo. */
const WfRegexFold wf_regex_folds[] = {
	{0x41, 0x5A, 1, 32, 3}, {0x6B, 0x6B, 1, 8383, 1}, {0x73, 0x73, 1, 268, 1}, {0xB5, 0xB5, 1, 743, 3},
	{0xC0, 0xD6, 1, 32, 3}, {0xD8, 0xDE, 1, 32, 3}, {0xDF, 0xDF, 1, 7615, 1}, {0xE5, 0xE5, 1, 8262, 1},
	{0xFF, 0xFF, 1, 121, 3}, {0x100, 0x12E, 2, 1, 3}, {0x132, 0x136, 2, 1, 3}, {0x139, 0x147, 2, 1, 3},
	{0x14A, 0x176, 2, 1, 3}, {0x179, 0x17D, 2, 1, 3}, {0x180, 0x180, 1, 195, 3}, {0x181, 0x181, 1, 210, 3},
	{0x182, 0x184, 2, 1, 3}, {0x186, 0x186, 1, 206, 3}, {0x187, 0x187, 1, 1, 3}, {0x189, 0x18A, 1, 205, 3},
	{0x18B, 0x18B, 1, 1, 3}, {0x18E, 0x18E, 1, 79, 3}, {0x18F, 0x18F, 1, 202, 3}, {0x190, 0x190, 1, 203, 3},
	{0x191, 0x191, 1, 1, 3}, {0x193, 0x193, 1, 205, 3}, {0x194, 0x194, 1, 207, 3}, {0x195, 0x195, 1, 97, 3},
	{0x196, 0x196, 1, 211, 3}, {0x197, 0x197, 1, 209, 3}, {0x198, 0x198, 1, 1, 3}, {0x19A, 0x19A, 1, 163, 3},
	{0x19B, 0x19B, 1, 42561, 3}, {0x19C, 0x19C, 1, 211, 3}, {0x19D, 0x19D, 1, 213, 3}, {0x19E, 0x19E, 1, 130, 3},
	{0x19F, 0x19F, 1, 214, 3}, {0x1A0, 0x1A4, 2, 1, 3}, {0x1A6, 0x1A6, 1, 218, 3}, {0x1A7, 0x1A7, 1, 1, 3},
	{0x1A9, 0x1A9, 1, 218, 3}, {0x1AC, 0x1AC, 1, 1, 3}, {0x1AE, 0x1AE, 1, 218, 3}, {0x1AF, 0x1AF, 1, 1, 3},
	{0x1B1, 0x1B2, 1, 217, 3}, {0x1B3, 0x1B5, 2, 1, 3}, {0x1B7, 0x1B7, 1, 219, 3}, {0x1B8, 0x1B8, 1, 1, 3},
	{0x1BC, 0x1BC, 1, 1, 3}, {0x1BF, 0x1BF, 1, 56, 3}, {0x1C4, 0x1C5, 1, 1, 3}, {0x1C7, 0x1C8, 1, 1, 3},
	{0x1CA, 0x1CB, 1, 1, 3}, {0x1CD, 0x1DB, 2, 1, 3}, {0x1DE, 0x1EE, 2, 1, 3}, {0x1F1, 0x1F2, 1, 1, 3},
	{0x1F4, 0x1F4, 1, 1, 3}, {0x1F8, 0x21E, 2, 1, 3}, {0x222, 0x232, 2, 1, 3}, {0x23A, 0x23A, 1, 10795, 3},
	{0x23B, 0x23B, 1, 1, 3}, {0x23E, 0x23E, 1, 10792, 3}, {0x23F, 0x240, 1, 10815, 3}, {0x241, 0x241, 1, 1, 3},
	{0x244, 0x244, 1, 69, 3}, {0x245, 0x245, 1, 71, 3}, {0x246, 0x24E, 2, 1, 3}, {0x250, 0x250, 1, 10783, 3},
	{0x251, 0x251, 1, 10780, 3}, {0x252, 0x252, 1, 10782, 3}, {0x25C, 0x25C, 1, 42319, 3},
	{0x261, 0x261, 1, 42315, 3}, {0x264, 0x264, 1, 42343, 3}, {0x265, 0x265, 1, 42280, 3},
	{0x266, 0x266, 1, 42308, 3}, {0x26A, 0x26A, 1, 42308, 3}, {0x26B, 0x26B, 1, 10743, 3},
	{0x26C, 0x26C, 1, 42305, 3}, {0x271, 0x271, 1, 10749, 3}, {0x27D, 0x27D, 1, 10727, 3},
	{0x282, 0x282, 1, 42307, 3}, {0x287, 0x287, 1, 42282, 3}, {0x29D, 0x29D, 1, 42261, 3},
	{0x29E, 0x29E, 1, 42258, 3}, {0x345, 0x345, 1, 84, 3}, {0x370, 0x372, 2, 1, 3}, {0x376, 0x376, 1, 1, 3},
	{0x37B, 0x37D, 1, 130, 3}, {0x37F, 0x37F, 1, 116, 3}, {0x386, 0x386, 1, 38, 3}, {0x388, 0x38A, 1, 37, 3},
	{0x38C, 0x38C, 1, 64, 3}, {0x38E, 0x38F, 1, 63, 3}, {0x390, 0x390, 1, 7235, 1}, {0x391, 0x3A1, 1, 32, 3},
	{0x3A3, 0x3A3, 1, 31, 3}, {0x3A4, 0x3AB, 1, 32, 3}, {0x3B0, 0x3B0, 1, 7219, 1}, {0x3B2, 0x3B2, 1, 30, 3},
	{0x3B5, 0x3B5, 1, 64, 3}, {0x3B8, 0x3B8, 1, 25, 3}, {0x3B9, 0x3B9, 1, 7173, 3}, {0x3BA, 0x3BA, 1, 54, 3},
	{0x3C0, 0x3C0, 1, 22, 3}, {0x3C1, 0x3C1, 1, 48, 3}, {0x3C2, 0x3C2, 1, 1, 3}, {0x3C6, 0x3C6, 1, 15, 3},
	{0x3C9, 0x3C9, 1, 7517, 1}, {0x3CF, 0x3CF, 1, 8, 3}, {0x3D1, 0x3D1, 1, 35, 1}, {0x3D8, 0x3EE, 2, 1, 3},
	{0x3F2, 0x3F2, 1, 7, 3}, {0x3F7, 0x3F7, 1, 1, 3}, {0x3FA, 0x3FA, 1, 1, 3}, {0x400, 0x40F, 1, 80, 3},
	{0x410, 0x42F, 1, 32, 3}, {0x432, 0x432, 1, 6222, 3}, {0x434, 0x434, 1, 6221, 3}, {0x43E, 0x43E, 1, 6212, 3},
	{0x441, 0x442, 1, 6210, 3}, {0x44A, 0x44A, 1, 6204, 3}, {0x460, 0x480, 2, 1, 3}, {0x463, 0x463, 1, 6180, 3},
	{0x48A, 0x4BE, 2, 1, 3}, {0x4C0, 0x4C0, 1, 15, 3}, {0x4C1, 0x4CD, 2, 1, 3}, {0x4D0, 0x52E, 2, 1, 3},
	{0x531, 0x556, 1, 48, 3}, {0x10A0, 0x10C5, 1, 7264, 3}, {0x10C7, 0x10C7, 1, 7264, 3},
	{0x10CD, 0x10CD, 1, 7264, 3}, {0x10D0, 0x10FA, 1, 3008, 3}, {0x10FD, 0x10FF, 1, 3008, 3},
	{0x13A0, 0x13EF, 1, 38864, 3}, {0x13F0, 0x13F5, 1, 8, 3}, {0x1C84, 0x1C84, 1, 1, 3},
	{0x1C88, 0x1C88, 1, 35266, 3}, {0x1C89, 0x1C89, 1, 1, 3}, {0x1D79, 0x1D79, 1, 35332, 3},
	{0x1D7D, 0x1D7D, 1, 3814, 3}, {0x1D8E, 0x1D8E, 1, 35384, 3}, {0x1E00, 0x1E94, 2, 1, 3},
	{0x1E61, 0x1E61, 1, 58, 3}, {0x1EA0, 0x1EFE, 2, 1, 3}, {0x1F00, 0x1F07, 1, 8, 3}, {0x1F10, 0x1F15, 1, 8, 3},
	{0x1F20, 0x1F27, 1, 8, 3}, {0x1F30, 0x1F37, 1, 8, 3}, {0x1F40, 0x1F45, 1, 8, 3}, {0x1F51, 0x1F57, 2, 8, 3},
	{0x1F60, 0x1F67, 1, 8, 3}, {0x1F70, 0x1F71, 1, 74, 3}, {0x1F72, 0x1F75, 1, 86, 3},
	{0x1F76, 0x1F77, 1, 100, 3}, {0x1F78, 0x1F79, 1, 128, 3}, {0x1F7A, 0x1F7B, 1, 112, 3},
	{0x1F7C, 0x1F7D, 1, 126, 3}, {0x1F80, 0x1F87, 1, 8, 1}, {0x1F90, 0x1F97, 1, 8, 1}, {0x1FA0, 0x1FA7, 1, 8, 1},
	{0x1FB0, 0x1FB1, 1, 8, 3}, {0x1FB3, 0x1FB3, 1, 9, 1}, {0x1FC3, 0x1FC3, 1, 9, 1}, {0x1FD0, 0x1FD1, 1, 8, 3},
	{0x1FE0, 0x1FE1, 1, 8, 3}, {0x1FE5, 0x1FE5, 1, 7, 3}, {0x1FF3, 0x1FF3, 1, 9, 1}, {0x2132, 0x2132, 1, 28, 3},
	{0x2160, 0x216F, 1, 16, 3}, {0x2183, 0x2183, 1, 1, 3}, {0x24B6, 0x24CF, 1, 26, 3}, {0x2C00, 0x2C2F, 1, 48, 3},
	{0x2C60, 0x2C60, 1, 1, 3}, {0x2C67, 0x2C6B, 2, 1, 3}, {0x2C72, 0x2C72, 1, 1, 3}, {0x2C75, 0x2C75, 1, 1, 3},
	{0x2C80, 0x2CE2, 2, 1, 3}, {0x2CEB, 0x2CED, 2, 1, 3}, {0x2CF2, 0x2CF2, 1, 1, 3}, {0xA640, 0xA66C, 2, 1, 3},
	{0xA680, 0xA69A, 2, 1, 3}, {0xA722, 0xA72E, 2, 1, 3}, {0xA732, 0xA76E, 2, 1, 3}, {0xA779, 0xA77B, 2, 1, 3},
	{0xA77E, 0xA786, 2, 1, 3}, {0xA78B, 0xA78B, 1, 1, 3}, {0xA790, 0xA792, 2, 1, 3}, {0xA794, 0xA794, 1, 48, 3},
	{0xA796, 0xA7A8, 2, 1, 3}, {0xA7B3, 0xA7B3, 1, 928, 3}, {0xA7B4, 0xA7C2, 2, 1, 3}, {0xA7C7, 0xA7C9, 2, 1, 3},
	{0xA7CC, 0xA7DA, 2, 1, 3}, {0xA7F5, 0xA7F5, 1, 1, 3}, {0xFB05, 0xFB05, 1, 1, 1}, {0xFF21, 0xFF3A, 1, 32, 3},
	{0x10400, 0x10427, 1, 40, 1}, {0x104B0, 0x104D3, 1, 40, 1}, {0x10570, 0x10594, 2, 39, 1},
	{0x10571, 0x10579, 2, 39, 1}, {0x1057D, 0x10589, 2, 39, 1}, {0x1058D, 0x10591, 2, 39, 1},
	{0x10595, 0x10595, 1, 39, 1}, {0x10C80, 0x10CB2, 1, 64, 1}, {0x10D50, 0x10D65, 1, 32, 1},
	{0x118A0, 0x118BF, 1, 32, 1}, {0x16E40, 0x16E5F, 1, 32, 1}, {0x16EA0, 0x16EB8, 1, 27, 1},
	{0x1E900, 0x1E921, 1, 34, 1},
};

const int	wf_regex_n_folds = lengthof(wf_regex_folds);

/* PCRE2's name, then the others, between slashes. */
static const char *const scripts[] = {
	"Adlm/Adlam", "Aghb/Caucasian_Albanian", "Ahom", "Arab/Arabic", "Armi/Imperial_Aramaic", "Armn/Armenian",
	"Avst/Avestan", "Bali/Balinese", "Bamu/Bamum", "Bass/Bassa_Vah", "Batk/Batak", "Beng/Bengali",
	"Bhks/Bhaiksuki", "Bopo/Bopomofo", "Brah/Brahmi", "Brai/Braille", "Bugi/Buginese", "Buhd/Buhid",
	"Cakm/Chakma", "Cans/Canadian_Aboriginal", "Cari/Carian", "Cham", "Cher/Cherokee", "Chrs/Chorasmian",
	"Copt/Coptic/Qaac", "Cpmn/Cypro_Minoan", "Cprt/Cypriot", "Cyrl/Cyrillic", "Deva/Devanagari",
	"Diak/Dives_Akuru", "Dogr/Dogra", "Dsrt/Deseret", "Dupl/Duployan", "Egyp/Egyptian_Hieroglyphs",
	"Elba/Elbasan", "Elym/Elymaic", "Ethi/Ethiopic", "Geor/Georgian", "Glag/Glagolitic", "Gong/Gunjala_Gondi",
	"Gonm/Masaram_Gondi", "Goth/Gothic", "Gran/Grantha", "Grek/Greek", "Gujr/Gujarati", "Guru/Gurmukhi",
	"Hang/Hangul", "Hani/Han", "Hano/Hanunoo", "Hatr/Hatran", "Hebr/Hebrew", "Hira/Hiragana",
	"Hluw/Anatolian_Hieroglyphs", "Hmng/Pahawh_Hmong", "Hmnp/Nyiakeng_Puachue_Hmong", "Hung/Old_Hungarian",
	"Ital/Old_Italic", "Java/Javanese", "Kali/Kayah_Li", "Kana/Katakana", "Kawi", "Khar/Kharoshthi",
	"Khmr/Khmer", "Khoj/Khojki", "Kits/Khitan_Small_Script", "Knda/Kannada", "Kthi/Kaithi", "Lana/Tai_Tham",
	"Laoo/Lao", "Latn/Latin", "Lepc/Lepcha", "Limb/Limbu", "Lina/Linear_A", "Linb/Linear_B", "Lisu",
	"Lyci/Lycian", "Lydi/Lydian", "Mahj/Mahajani", "Maka/Makasar", "Mand/Mandaic", "Mani/Manichaean",
	"Marc/Marchen", "Medf/Medefaidrin", "Mend/Mende_Kikakui", "Merc/Meroitic_Cursive",
	"Mero/Meroitic_Hieroglyphs", "Mlym/Malayalam", "Modi", "Mong/Mongolian", "Mroo/Mro", "Mtei/Meetei_Mayek",
	"Mult/Multani", "Mymr/Myanmar", "Nagm/Nag_Mundari", "Nand/Nandinagari", "Narb/Old_North_Arabian",
	"Nbat/Nabataean", "Newa", "Nkoo/Nko", "Nshu/Nushu", "Ogam/Ogham", "Olck/Ol_Chiki", "Orkh/Old_Turkic",
	"Orya/Oriya", "Osge/Osage", "Osma/Osmanya", "Ougr/Old_Uyghur", "Palm/Palmyrene", "Pauc/Pau_Cin_Hau",
	"Perm/Old_Permic", "Phag/Phags_Pa", "Phli/Inscriptional_Pahlavi", "Phlp/Psalter_Pahlavi", "Phnx/Phoenician",
	"Plrd/Miao", "Prti/Inscriptional_Parthian", "Rjng/Rejang", "Rohg/Hanifi_Rohingya", "Runr/Runic",
	"Samr/Samaritan", "Sarb/Old_South_Arabian", "Saur/Saurashtra", "Sgnw/SignWriting", "Shaw/Shavian",
	"Shrd/Sharada", "Sidd/Siddham", "Sind/Khudawadi", "Sinh/Sinhala", "Sogd/Sogdian", "Sogo/Old_Sogdian",
	"Sora/Sora_Sompeng", "Soyo/Soyombo", "Sund/Sundanese", "Sylo/Syloti_Nagri", "Syrc/Syriac", "Tagb/Tagbanwa",
	"Takr/Takri", "Tale/Tai_Le", "Talu/New_Tai_Lue", "Taml/Tamil", "Tang/Tangut", "Tavt/Tai_Viet",
	"Telu/Telugu", "Tfng/Tifinagh", "Tglg/Tagalog", "Thaa/Thaana", "Thai", "Tibt/Tibetan", "Tirh/Tirhuta",
	"Tnsa/Tangsa", "Toto", "Ugar/Ugaritic", "Vaii/Vai", "Vith/Vithkuqi", "Wara/Warang_Citi", "Wcho/Wancho",
	"Xpeo/Old_Persian", "Xsux/Cuneiform", "Yezi/Yezidi", "Yiii/Yi", "Zanb/Zanabazar_Square",
	"Zinh/Inherited/Qaai", "Zyyy/Common", "Zzzz/Unknown",
};

static const char *const categories[] = {
	"C/Other", "Cc/Control/cntrl", "Cf/Format", "Cn/Unassigned", "Co/Private_Use", "Cs/Surrogate", "L/Letter",
	"L&/LC/Cased_Letter", "Ll/Lowercase_Letter", "Lm/Modifier_Letter", "Lo/Other_Letter", "Lt/Titlecase_Letter",
	"Lu/Uppercase_Letter", "M/Mark/Combining_Mark", "Mc/Spacing_Mark", "Me/Enclosing_Mark",
	"Mn/Nonspacing_Mark", "N/Number", "Nd/Decimal_Number/digit", "Nl/Letter_Number", "No/Other_Number",
	"P/Punctuation/punct", "Pc/Connector_Punctuation", "Pd/Dash_Punctuation", "Pe/Close_Punctuation",
	"Pf/Final_Punctuation", "Pi/Initial_Punctuation", "Po/Other_Punctuation", "Ps/Open_Punctuation", "S/Symbol",
	"Sc/Currency_Symbol", "Sk/Modifier_Symbol", "Sm/Math_Symbol", "So/Other_Symbol", "Z/Separator",
	"Zl/Line_Separator", "Zp/Paragraph_Separator", "Zs/Space_Separator",
};

/* `^` before a name: the complement of that one. */
static const char *const binaries[] = {
	"ASCII", "ASCII_Hex_Digit/AHex", "Alphabetic/Alpha", "Any", "^Cn/Assigned", "Bidi_Control/Bidi_C",
	"Bidi_Mirrored/Bidi_M", "Case_Ignorable/CI", "Cased", "Changes_When_Casefolded/CWCF",
	"Changes_When_Casemapped/CWCM", "Changes_When_Lowercased/CWL", "Changes_When_Titlecased/CWT",
	"Changes_When_Uppercased/CWU", "Dash", "Default_Ignorable_Code_Point/DI", "Deprecated/Dep", "Diacritic/Dia",
	"Emoji", "Emoji_Component/EComp", "Emoji_Modifier/EMod", "Emoji_Modifier_Base/EBase",
	"Emoji_Presentation/EPres", "Extended_Pictographic/ExtPict", "Extender/Ext", "Grapheme_Base/Gr_Base",
	"Grapheme_Extend/Gr_Ext", "Hex_Digit/Hex", "IDS_Binary_Operator/IDSB", "IDS_Trinary_Operator/IDST",
	"ID_Continue/IDC", "ID_Start/IDS", "Ideographic/Ideo", "Join_Control/Join_C", "Logical_Order_Exception/LOE",
	"Lowercase/Lower", "Math", "Noncharacter_Code_Point/NChar", "Pattern_Syntax/Pat_Syn",
	"Pattern_White_Space/Pat_WS", "Quotation_Mark/QMark", "Radical", "Regional_Indicator/RI",
	"Sentence_Terminal/STerm", "Soft_Dotted/SD", "Terminal_Punctuation/Term", "Unified_Ideograph/UIdeo",
	"Uppercase/Upper", "Variation_Selector/VS", "White_Space/space", "XID_Continue/XIDC", "XID_Start/XIDS",
};

/* The entry of a table in which one of the names is `name`; copies PCRE2's name. */
static const char *
look_up(const char *const *table, int n, const char *name, int len)
{
	for (int i = 0; i < n; i++)
	{
		const char *p = table[i];
		bool		hidden = *p == '^' || strncmp(p, "L&", 2) == 0;

		while (*p != '\0')
		{
			int			part = strcspn(p, "/");

			/* a name that is PCRE2's alone is none of JavaScript's */
			if (part == len && memcmp(p, name, len) == 0 && !(hidden && p == table[i]))
				return pnstrdup(table[i], strcspn(table[i], "/"));
			p += part + (p[part] == '/');
		}
	}
	return NULL;
}

/*
 * What stands between the braces, as PCRE2 has it with its braces: `{Lu}`, `{sc:Greek}`; with `^` in
 * front when the complement is meant. NULL when JavaScript or PCRE2 has no such property.
 */
const char *
wf_regex_property(const char *name, int len)
{
	const char *equals = memchr(name, '=', len);
	const char *found;
	const char *kind = NULL;

	if (equals == NULL)
	{
		found = look_up(categories, lengthof(categories), name, len);
		if (found == NULL)
			found = look_up(binaries, lengthof(binaries), name, len);
		if (found == NULL)
			return NULL;
		return found[0] == '^' ? psprintf("^{%s}", found + 1) : psprintf("{%s}", found);
	}
	len -= equals + 1 - name;
	if (strncmp(name, "gc=", 3) == 0 || strncmp(name, "General_Category=", 17) == 0)
		found = look_up(categories, lengthof(categories), equals + 1, len);
	else
	{
		if (strncmp(name, "sc=", 3) == 0 || strncmp(name, "Script=", 7) == 0)
			kind = "sc";
		else if (strncmp(name, "scx=", 4) == 0 || strncmp(name, "Script_Extensions=", 18) == 0)
			kind = "scx";
		else
			return NULL;
		found = look_up(scripts, lengthof(scripts), equals + 1, len);
	}
	if (found == NULL)
		return NULL;
	return kind == NULL ? psprintf("{%s}", found) : psprintf("{%s:%s}", kind, found);
}
