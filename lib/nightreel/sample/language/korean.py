"""The invented titles in Korean: word by word what the English ones say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from nightreel.sample.language.titles import Genre, parts_of


@dataclass(frozen=True)
class _Translation:
    """The patterns and words of a genre's titles, each at the place of the English one."""

    patterns: tuple[str, ...]
    what: str
    where: str

    @cached_property
    def words(self) -> tuple[list[str], list[str]]:
        return self.what.split(", "), self.where.split(", ")


_TRANSLATIONS: Mapping[Genre, _Translation] = {
    Genre.SCIENCE_FICTION: _Translation(
        (
            "{where} {what}",
            "{where}에서 온 {what}",
            "{where}, 여기는 {what}",
            "{where}행 마지막 {what}",
            "{where} {what}의 반란",
        ),
        "우주선, 로봇, 레이저 대포, 소행성 광부, 워프 엔진, 광선총, 우주 정거장, 홀로그램, 복제 인간, 달 기지, "
        "우주 공항, 웜홀, 사이보그, 로켓선, 화성인, 타임머신, 블랙홀, 비행접시, 성운, 인공위성, 우주 해적, 역장, "
        "돌연변이, 달 식민지, 순간 이동기, 우주 순양함",
        "메리디안, 안드로메다, 가니메데, 칼리스토, 유로파, 프록시마, 오리온, 카시오페이아, 베가, 알타이르, 리겔, "
        "티타니아, 오베론, 할시온, 페르세우스, 아르크투루스, 케플러, 트리톤, 미란다, 히페리온, 데네브, 안타레스, "
        "폴라리스, 리라, 포보스, 팔라스",
    ),
    Genre.ROMANCE: _Translation(
        (
            "{where}의 사랑",
            "{where}에서의 {what}",
            "{where}, 나의 {what}",
            "우리의 {where} {what}",
            "{where} 이전의 {what}",
            "사랑에 빠지다: {where}의 {what}",
        ),
        "키스, 결혼식, 밸런타인, 연애편지, 신혼여행, 청혼, 꽃다발, 연인, 신부, 심장 소리, 세레나데, 달링, 로맨스, "
        "첫 데이트, 소개팅, 사랑 노래, 비밀의 숭배자, 신부 들러리, 촛불 만찬, 두 번째 기회, 중매인, 짝사랑, "
        "소울메이트, 연애, 느린 춤, 웨딩 플래너",
        "리스본, 베로나, 몽마르트르, 세비야, 아바나, 카프리, 빈, 프라하, 두브로브니크, 부에노스아이레스, 산토리니, "
        "브루게, 교토, 마라케시, 잘츠부르크, 그라나다, 카디스, 오를레앙, 말라가, 취리히, 아말피, 마데이라, 바스, "
        "베르겐, 소렌토, 앙티브",
    ),
    Genre.HORROR: _Translation(
        (
            "{where}의 {what}",
            "{where}: {what}의 밤",
            "{where} {what}: 깨우지 마라",
            "쉿, {where}에도 {what}",
            "{where}에 묻힌 {what}의 귀환",
        ),
        "흡혈귀, 유령, 좀비, 늑대인간, 지하 묘지, 귀신 들린 집, 저주, 관, 밴시, 비명, 미라, 폴터가이스트, 마녀, 악마, "
        "구울, 허수아비, 팬텀, 해골, 가고일, 목 없는 수녀, 시체, 악몽, 무덤, 괴물, 공동묘지, 강령회",
        "레이븐무어, 블랙손, 그림즈비 골짜기, 코핀 레인, 몬우드, 교수대 언덕, 드레드워터, 과부의 끝, 블리크무어, "
        "거미줄 저택, 울프스베인, 사형 집행인의 숲, 머크워터, 수의의 끝, 뼈의 계곡, 크리프웰, 애시그레이브, 할로미어, "
        "나이트셰이드 하우스, 신더홈, 썩은 참나무, 팽데일, 글룸스테드, 레이스퍼드, 음산한 만, 섀도펜",
    ),
    Genre.WESTERN: _Translation(
        (
            "{where} {what}",
            "{where}에서의 {what}",
            "안장을 얹어라, {where} {what}",
            "열두 시 반: {where}의 {what}",
            "한 줌의 먼지와 {where}의 {what}",
        ),
        "보안관, 추격대, 총잡이, 역마차, 현상금 사냥꾼, 연방 보안관, 술집, 소몰이, 육혈포, 결투, 부보안관, 소도둑, "
        "카우보이, 올가미, 골드러시, 총격전, 떠돌이, 목장 일꾼, 종마, 마차 행렬, 노상강도, 열차 강도, 무법자, 로데오, "
        "개척자, 낙인",
        "드라이 크리크, 애빌린 평원, 방울뱀 협곡, 코요테 고개, 더스티 포크, 텀블위드, 부러진 박차, 선인장 갈림길, "
        "실버 메사, 독수리 바위, 외로운 능선, 프레리도그 굽이, 라레도 건널목, 구리 협곡, 세이지브러시, 머스탱 계곡, "
        "위스키 골짜기, 반데라 우물, 솔트 릭, 유마 스프링스, 레드워터, 페인티드 뷰트, 메스키트, 석양의 골짜기, "
        "샤이엔 트레일, 엘 피뇬",
    ),
    Genre.MYSTERY: _Translation(
        (
            "{what} {where} 사건",
            "피커링 경감과 {what} {where}",
            "{what} {where}의 단서",
            "살인, 홍차, 그리고 {what} {where}",
            "뒤프레 탐정의 수사: {what} {where}",
        ),
        "사라지는, 독살된, 실종된, 도난당한, 위조된, 침묵하는, 협박당한, 빌려 온, 납치된, 수상한, 피 묻은, 배신당한, "
        "가짜, 왼손잡이, 밀수된, 목 졸린, 잊힌, 서명 없는, 입이 무거운, 잠 못 드는, 수수께끼의, 변장한, 두 번째, "
        "세 번째, 열세 번째, 마지막",
        "교구 목사, 트라이플, 사모바르, 집사, 공작 부인, 찻주전자, 촛대, 상속녀, 대령, 사서, 우산, 피아노 조율사, "
        "우체국장, 바이올린, 마멀레이드, 정원사, 회중시계, 양봉가, 십자말풀이, 오르간 연주자, 오페라 장갑, 체스 명인, "
        "앵무새, 부목사, 수플레, 크로케 망치",
    ),
    Genre.WILDLIFE: _Translation(
        (
            "{what}, {where}의 광대",
            "{where}의 일 년: {what}",
            "야생의 {where}: {what} 일기",
            "{where}의 신비: {what}",
            "{where} 저편으로 간 {what}",
        ),
        "오소리, 해달, 퍼핀, 고슴도치, 천산갑, 바다코끼리, 눈표범, 검은 앨버트로스, 비버, 미어캣, 점박이 아홀로틀, "
        "카피바라, 테이퍼, 가면올빼미, 일각고래, 웜뱃, 레서판다, 도롱뇽, 플라밍고, 호저, 혹등고래, 물총새, "
        "말코손바닥사슴, 거북, 갯가재, 레밍",
        "세렝게티, 아마존, 북극, 칼라하리, 갈라파고스, 아웃백, 툰드라, 히말라야, 맹그로브 숲, 산호초, 사하라, 스텝, "
        "열대 우림, 사바나, 피오르, 에버글레이즈, 팜파스, 습지, 빙하, 심해, 헤브리디스, 타이가, 나미브, 구름 숲, "
        "강어귀, 황야",
    ),
}


def korean_title(title: str) -> str:
    """What a generated title is called in Korea.

    Raises
    ------
    KeyError : no generated dump has such a title
    """
    parts = parts_of(title)
    translation = _TRANSLATIONS[parts.genre]
    whats, wheres = translation.words
    return translation.patterns[parts.pattern].format(what=whats[parts.what], where=wheres[parts.where])
