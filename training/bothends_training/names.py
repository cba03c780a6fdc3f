"""Small tables of names, times and opposites: words that can replace each other and change what a sentence states."""

from .lexicon import words

NAMES = {
    "man": words(
        "Tom John James Robert Michael William David Richard Joseph Thomas Charles Peter Paul Mark George Kevin Brian "
        "Edward Jason Frank Scott Eric Stephen Andrew Jack Henry Daniel Adam Nathan Zachary Walter Kyle Harold Carl "
        "Arthur Roger Keith Jeremy Terry Sean Albert Jesse Ralph Roy Louis Philip Bobby Oscar Victor Martin"
    ),
    "woman": words(
        "Mary Linda Barbara Elizabeth Jennifer Susan Jessica Sarah Karen Nancy Lisa Betty Margaret Sandra Ashley Emily "
        "Donna Michelle Carol Amanda Melissa Deborah Laura Rebecca Sharon Cynthia Kathleen Amy Angela Anna Emma Nicole "
        "Helen Samantha Katherine Rachel Janet Maria Heather Diane Ruth Julie Olivia Joyce Alice Julia Grace Sophie"
    ),
    "surname": words(
        "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson Thompson Harris Clark "
        "Lewis Robinson Walker Allen Wright Scott Hill Green Adams Nelson Baker Hall Campbell Mitchell Carter Roberts "
        "Trump Obama Clinton Bush Biden Reagan Kennedy Lincoln Roosevelt Churchill Putin Merkel"
    ),
    "country": words(
        "America England France Germany Spain Italy Russia China Japan India Brazil Canada Mexico Australia Egypt "
        "Turkey Greece Poland Sweden Norway Ireland Scotland Iran Iraq Israel Pakistan Vietnam Thailand Kenya Nigeria "
        "Argentina Chile Cuba Peru Denmark Finland Austria Switzerland Portugal Belgium Ukraine Syria Afghanistan Korea"
    ),
    "people": words(
        "American English British French German Spanish Italian Russian Chinese Japanese Indian Canadian Mexican "
        "Australian Egyptian Turkish Greek Polish Swedish Norwegian Irish Scottish Dutch Korean Brazilian African"
    ),
    "city": words(
        "London Paris Berlin Rome Madrid Moscow Tokyo Beijing Delhi Chicago Boston Toronto Sydney Dublin Vienna Cairo "
        "Seattle Denver Houston Dallas Miami Atlanta Philadelphia Detroit Phoenix Portland Baltimore Cleveland "
        "Montreal Vancouver Melbourne Manchester Edinburgh Amsterdam Brussels Stockholm Athens Istanbul Mumbai Nairobi "
        "Shanghai Washington Pittsburgh Nashville Oakland"
    ),
    "state": words(
        "California Texas Florida Ohio Michigan Georgia Virginia Arizona Colorado Oregon Alabama Kentucky Louisiana "
        "Oklahoma Kansas Utah Nevada Iowa Illinois Pennsylvania Massachusetts Minnesota Wisconsin Tennessee Maryland"
    ),
    "month": words("January February March April June July August September October November December"),
    "day": words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "planet": words("Mercury Venus Mars Jupiter Saturn Uranus Neptune"),
    "company": words("Google Apple Microsoft Amazon Facebook Samsung Sony Intel Nintendo Netflix Twitter Toyota Honda"),
}
"""Names, with a capital, by what each is the name of."""

NAME_KINDS = {name: kind for kind, names in NAMES.items() for name in names}

_OPPOSITES = words(
    "good:bad big:small large:small high:low hot:cold warm:cool old:new young:old long:short early:late fast:slow "
    "quickly:slowly rich:poor happy:sad easy:difficult strong:weak light:dark heavy:light hard:soft deep:shallow "
    "wide:narrow thick:thin full:empty open:closed clean:dirty dry:wet safe:dangerous cheap:expensive right:wrong "
    "true:false alive:dead first:last inside:outside above:below before:after "
    "always:never often:rarely more:less most:least many:few everyone:nobody everything:nothing "
    "increase:decrease increased:decreased increases:decreases rise:fall rising:falling rose:fell gain:lose "
    "gained:lost win:lose won:lost love:hate loves:hates loved:hated accept:reject accepted:rejected "
    "allow:forbid allowed:forbidden buy:sell bought:sold begin:end began:ended start:stop started:stopped come:go "
    "came:went arrive:leave arrived:left enter:exit open:close opened:closed opens:closes push:pull remember:forget "
    "succeed:fail succeeded:failed success:failure friend:enemy friends:enemies day:night morning:evening "
    "north:south northern:southern east:west eastern:western male:female men:women man:woman boy:girl boys:girls "
    "father:mother son:daughter brother:sister husband:wife king:queen uncle:aunt beautiful:ugly better:worse "
    "best:worst bigger:smaller larger:smaller higher:lower longer:shorter older:younger faster:slower "
    "stronger:weaker near:far loud:quiet public:private maximum:minimum positive:negative possible:impossible "
    "legal:illegal known:unknown common:rare healthy:sick guilty:innocent interesting:boring useful:useless "
    "brave:cowardly polite:rude kind:cruel wise:foolish simple:complex modern:ancient internal:external upper:lower "
    "beginning:end peace:war life:death with:without enable:disable enabled:disabled include:exclude agree:disagree "
    "agreed:disagreed appear:disappear appeared:disappeared correct:incorrect tall:short front:back top:bottom "
    "cheaper:dearer white:black"
)
OPPOSITES: dict[str, tuple[str, ...]] = {}
"""Words that say the contrary of each word, in lower case."""
for _pair in _OPPOSITES:
    _one, _other = _pair.split(":")
    OPPOSITES[_one] = (*OPPOSITES.get(_one, ()), _other)
    OPPOSITES[_other] = (*OPPOSITES.get(_other, ()), _one)
