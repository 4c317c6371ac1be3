"""Whether a text asks for anything: what a model writes as the user's turn is at times a statement, or the answer itself.

Meant to miss rather than to err: one sign of a request anywhere is enough, and a verb in its plain form where a clause begins is a sign whatever it
means there; but who begins by praising a question, or ends by offering help, answers. Of Alpaca's 52,002 instructions, which all ask for something,
252 show no sign (0.5 %): noun phrases, typing errors ("Asses the quality"), rare verbs, and statements that their input completes. Of 5,080 first
lines of its answers 70 % show none.
"""

import re

__all__ = ["asks"]

_ADDRESSED = re.compile(
    r"[?？]|\b(?:please|(?:can|could|would|will|should|do|did|have|are) (?:you|we|i)|how to"
    r"|(?:\A|(?<=[.!;:,\n] )|(?<=\n))(?:how (?:can|do|does|much|many|would|is|are)|what(?:'s| is| are| if))"
    r"|i(?:'d| would) (?:like|love)|i(?:'m| am) (?:trying|looking|wondering|not sure|having|unsure|curious|struggling|planning|interested|working|going)"
    r"|i (?:want|need|wonder|wish|have to|don't know|do not know|can't|cannot)|help|your (?:task|goal|job|aim|mission|answer|response|essay|program|code)"
    r"|you(?:'re| are| will be|'ve| have) (?:to|been|given|asked|tasked|required|an?|the|working|planning|writing|creating|designing)"
    r"|the (?:task|goal|aim|challenge|problem) is to|any (?:ideas?|tips?|advice|suggestions?)|true or false)\b"
    r"|\A(?:in this task, )?you (?:must|should|need to|have to|want to)\b",
    re.IGNORECASE,
)
"""Somebody is asked, in words or by a question mark."""

_CLAUSE = re.compile(
    r"(?:\A|[.!;:,\n(\[–—-]|\b(?:and|then|also|now|first|next|or|let's)\b)(?:[^\S\n]|[\"'“‘*#\d)])*(?=([a-z]+)(?:[\s,]+([a-z]+))?)",
    re.IGNORECASE,
)
"""The first two words after where a clause may begin: the first may be an adverb."""

_QUESTION = frozenset("what why how when where who whom whose which is are was were do does did can could should would will has have am may".split())  # noqa: SIM905 - words read better as words
"""They ask where a sentence begins; elsewhere they are conjunctions more often than not."""

_VERBS = frozenset(
    """
    accept access account act adapt add address adjust adopt advertise advise advocate aggregate align alter amend analyse analyze annotate answer
    anticipate apologize append apply appraise appreciate approach approximate argue arrange articulate ask assemble assess assign assist assume attach
    attempt authenticate author automate bake balance begin block boil book brainstorm break brief bring budget build calculate call cancel capitalise
    capitalize caption capture carry categorise categorize challenge change characterize chart chat check choose circle cite clarify classify clean clear
    close cluster code collect combat combine come comment communicate compare compile complement complete compose compress compute concatenate conceive
    conclude concoct condense conduct confirm conjugate connect consider consolidate construct contact continue contrast contribute control convert convey
    convince cook copy correct count counter cover craft create critique crop cross curate customize cut debate debug decide decode decompose decorate
    dedicate deduce deduct deduplicate define delete deliver demonstrate denote depict deploy derive describe design detail detect determine develop
    devise diagnose differentiate direct discover discriminate discuss display distill distinguish divide document double draft dramatize draw echo edit
    educate elaborate eliminate embed emphasize encode encourage encrypt engage enlist enrich ensure enter enumerate envision equate establish estimate
    evaluate evoke examine excerpt execute expand explain explicate explore expose express extend extract extrapolate factor fashion fetch figure fill
    filter find finish fit fix flag flip focus fold follow forecast forge form formalize format formulate frame gather generate get give go grab grade
    greet group guarantee guess guide hand handle handwrite help highlight hold host hunt hypothesise hypothesize ideate identify illustrate imagine
    implement improve improvise include increase increment indicate infer inform innovate input insert inspect inspire install instruct integrate
    interpret interrogate interview introduce invent investigate invite isolate italicize itemize join jot judge justify keep keyboard label launch lay
    lead learn leave lengthen let level link list localize locate look lower make manage manipulate map mark mask master match maximise maximize measure
    memorize mention merge message minimize mix model modify monitor move multiply name narrate narrow navigate negate negotiate nominate normalise
    normalize note notify number observe obtain offer omit open operate optimise optimize orchestrate order organise organize originate outline output
    pack paint pair paraphrase parse participate partition pass paste perform personalize persuade pick pitch place plan play plot point ponder pose post
    postulate practice practise predict preface prepare prescribe present press pretend price print prioritise prioritize proceed process procure produce
    program promote pronounce proofread propose protect prove provide prune publish punctuate purchase push put quantify query quote rank rate rationalize
    react read rearrange rebuild recall recast recategorize receive recite recode recognize recollect recommend reconcile reconsider reconstruct record
    recount recover recreate redact redesign reduce refactor refer refine reflect reformat reformulate reframe refute regenerate register regroup
    reimagine relabel relate relocate remember remind remix remove rename render renew reorder reorganise reorganize repair repeat rephrase replace
    replicate reply report represent request reread reschedule rescue research reshape resolve respond restate restore restrict restructure retell
    retrieve return reuse reverse review revise revisit reword rework rewrite rhyme role-play roleplay rotate round run say scale scan schedule score
    scramble search select sell send separate sequence serve set share shift shine shorten show simplify simulate sing sketch slice smooth solicit solve
    sort source speak specify speculate spell spin split spot square standardize start state step stop strengthen stress structure study style submit
    substitute subtract suggest sum summarise summarize supplement supply support suppose surprise survey swap switch symbolize synthesise synthesize
    tabulate tackle tag tailor take talk tally target teach tell test thank theorize think throw tidy total trace track train transcribe transfer
    transform translate transliterate transpose trim troubleshoot try tune turn type uncover underline understand unpack unscramble update upgrade upload
    use utilize validate vary verify view visit visualize vote walk warn weigh welcome wish word work worry wrap write zip
    """.split()  # noqa: SIM905 - as above
)

_ASKED_ZH = re.compile(
    "[?？]|请|帮|吗|呢|什么|怎么|怎样|如何|为什么|为何|多少|几[个种点天年次步条]|哪|谁|是否|能不能|可不可以|可以不可以|想[要知请问让]|需要|希望|麻烦|告诉|教我|给我|替我"
    "|[列写][一出下个封篇段首份]|列举|列.{0,2}[份个张条]|解释|说明|介绍|描述|比较|分析|总结|概括|翻译|改写|修改|润色|计算|求[出解]|证明|设计|制定|推荐|建议|举例|回答|判断|分类|排序|找出"
    "|选[择出]|填[写空入上]|补充|续写|扩写|缩写|生成|编写|撰写|起草|整理|归纳|对比|评价|讨论|谈谈|讲[讲述解一]|用.{1,12}造句|用一[张句段个]|压缩|把.{1,40}(?:改|换|译|写|变|分|排|转)|将.{1,40}(?:改|换|译|写|变|分|排|转)"
)


_PRAISES = re.compile(
    r"\W*(?:(?:this|that)(?:['’]s|\s+is)\s+(?:such\s+)?an?\s+(?:really\s+)?(?:great|excellent|wonderful|fantastic)\s+(?:question|challenge|task|prompt)[!,.]"
    r"|(?:a\s+)?(?:great|good|excellent)\s+(?:question|challenge|point|job)[!,.]|you(?:['’]re|\s+are)\s+(?:absolutely\s+)?(?:right|correct)[!,.]"
    r"|(?:certainly|sure|of\s+course|absolutely)!|certainly[,.]"
    r"|I(?:['’]m|\s+am)\s+(?:glad|happy)\s+(?:to\s+(?:hear|see)|(?:that\s+)?you(?:['’]ve|\s+have|['’]re|\s+are|\s+asked|\s+shared))\b"
    r"|(?:这|那)(?:真)?是一?个(?:很|非常)好的问题[，。！,!]|当然(?:可以)?[！!]|好的[！!]|没问题[！!])",
    re.IGNORECASE,
)
_OFFERS = re.compile(
    r"[.!?] (?:I(?:['’]m|\s+am)\s+(?:always\s+|also\s+)?(?:here|ready|happy|glad)\s+to\s+(?:help|assist)"
    r"|I(?:['’]d|['’]ll|\s+would|\s+will)\s+be\s+(?:happy|glad|delighted)\s+to\s+(?:help|assist|answer)"
    r"|(?:how|what)\s+(?:can|may|could)\s+I\s+(?:help|assist|do\s+for)\s+you)[^.!?\n\"”]*[.!?]?\Z"
    r"|[，。！](?:我很乐意为[您你])[^。！？\n”：]*[。！]?\Z",
    re.IGNORECASE,
)
_OFFER_CHARACTERS = 200


def _answers(text: str) -> bool:
    """Whether an assistant speaks: it praises the question before it answers, or offers more help behind, which may stand in a text to work on too."""
    if _PRAISES.match(text):
        return True
    offered = _OFFERS.search(text.rstrip()[-_OFFER_CHARACTERS:]) is not None
    return offered and text.partition(" ")[0].lower() not in _VERBS and not re.search('[:："“”]', text)


def asks(text: str, language: str) -> bool:
    """Whether the instruction `text` of `language` (en, zh) has a sign of a question or a request, and is not an answer."""
    if _answers(text):
        return False
    if language.split("-")[0] == "zh" and _ASKED_ZH.search(text):
        return True
    # The most instructions by far begin with their verb, and need no more than this look.
    if text.partition(" ")[0].lower() in _VERBS or _ADDRESSED.search(text):
        return True
    for found in _CLAUSE.finditer(text):
        word, after = found.group(1).lower(), (found.group(2) or "").lower()
        begins = found.start() == 0 or text[found.start()] in ".!\n"
        if word in _VERBS or (begins and word in _QUESTION) or (word.endswith("ly") and after in _VERBS):
            return True
    return False
