fn main(){
 let files=kangqiao::config::files::read_folder(std::path::Path::new("mappings")).unwrap();
 let pack=match kangqiao::translate::Pack::load(&files){Ok(p)=>p,Err(e)=>{for f in e{println!("{f}")} return}};
 let src=kangqiao::vocabulary::Source::parse("x").unwrap();
 let l=kangqiao::wire::xml::Limits::default();
 let verbose=std::env::args().len()==2;
 for p in std::env::args().skip(1){
  let b=std::fs::read(&p).unwrap();
  let name=p.rsplit('/').next().unwrap();
  match pack.read_cda(src,&b,&l){
   Err(e)=>println!("{name} REFUSED {} {}",e.fault.row().name,e.at),
   Ok(t)=>{println!("{name} {} m{} c{} d{} u{} groups{} notes{}",t.record.dataset,t.bins.mapped,t.bins.carried,t.bins.dropped,t.bins.unmapped,t.record.groups.len(),t.bins.notes.len());
    if verbose {println!("{}",serde_json::to_string_pretty(&kangqiao::translate::record_to_json(&t.record)).unwrap()); }
    for c in t.record.carried.iter(){println!("  C {} = {}",c.at,c.text.chars().take(30).collect::<String>());}
    for n in &t.bins.notes{println!("  N {} {}",n.remark.id,n.at);}
    let w=pack.write_cda(&t.record);
    std::fs::create_dir_all("/tmp/w").unwrap();
    std::fs::write(format!("/tmp/w/{name}"),&w).unwrap();
    let again=match pack.read_cda(src,&w,&l){Ok(a)=>a,Err(e)=>{println!("  AGAIN REFUSED {} {}",e.fault.row().name,e.at);continue}};
    let flat=|r:&kangqiao::vocabulary::Record|->Vec<Vec<String>>{let mut out=vec![];for (i,g) in r.groups.iter().enumerate(){let mut v:Vec<String>=g.fields.iter().map(|f|format!("{} {}",f.element,serde_json::to_string(&f.value).unwrap())).collect(); if i==0{v.sort()} v.insert(0,format!("{}^{:?}",g.name,g.parent)); out.push(v)} out};
    let (x,y)=(flat(&t.record),flat(&again.record));
    if x!=y {
      println!("  DIFF groups {} {}",x.len(),y.len());
      let mut n=0;
      for i in 0..x.len().max(y.len()){ let e=vec![]; let (a,b)=(x.get(i).unwrap_or(&e),y.get(i).unwrap_or(&e)); if a!=b { println!("   #{i}\n    - {}\n    + {}",a.iter().filter(|v|!b.contains(v)).cloned().collect::<Vec<_>>().join(" | "),b.iter().filter(|v|!a.contains(v)).cloned().collect::<Vec<_>>().join(" | ")); n+=1; if n>2 {break} } }
    }
    if again.bins.unmapped>0 {println!("  again unmapped {}",again.bins.unmapped)}
   }
  }
 }
}
